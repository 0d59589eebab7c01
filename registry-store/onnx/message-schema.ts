/**
 * How a protobuf message is written down: a list of fields, each with its number on the wire and what it holds.
 * The reader and the writer both follow such a list, so a field number stands in exactly one place. Nothing here
 * knows ONNX. The type parameter ties a list to its interface: the compiler refuses a missing or wrong field.
 */

export type NumberKind = 'int32' | 'int64' | 'uint64' | 'float' | 'double';
export type NumberArray = Int32Array | BigInt64Array | BigUint64Array | Float32Array | Float64Array;

type FieldKind =
  | { readonly kind: 'int32' | 'int64' | 'float' }
  | { readonly kind: 'text' | 'bytes'; readonly repeated: boolean }
  /** A repeated number, held as a typed array: exact, and at most 8 bytes for each byte of the file. */
  | { readonly kind: 'numbers'; readonly of: NumberKind }
  /** The schema comes lazily because messages refer to one another in circles. */
  | { readonly kind: 'message'; readonly repeated: boolean; readonly schema: () => Schema<unknown> };

export type Field<Value> = FieldKind & {
  readonly id: number;
  /** Never present; it carries the type of the value for the compiler. */
  readonly holds?: Value;
};

export interface Schema<Message> {
  /** In ascending order of field number, which is also the order of writing. */
  readonly fields: readonly NamedField[];
  /** Never present; it carries the type of the message for the compiler. */
  readonly holds?: Message;
}

export interface NamedField {
  readonly name: string;
  readonly field: Field<unknown>;
}

/** A field is optional in its interface; here every one of them must be listed, with a matching kind. */
export function schemaOf<Message>(fields: {
  readonly [Name in keyof Required<Message>]: Field<NonNullable<Message[Name]>>;
}): Schema<Message> {
  const named = Object.entries<Field<unknown>>(fields).map(([name, field]) => ({ name, field }));
  return { fields: named.toSorted((left, right) => left.field.id - right.field.id) };
}

export const int32 = (id: number): Field<number> => ({ id, kind: 'int32' });
export const int64 = (id: number): Field<bigint> => ({ id, kind: 'int64' });
export const float = (id: number): Field<number> => ({ id, kind: 'float' });
export const text = (id: number): Field<string> => ({ id, kind: 'text', repeated: false });
export const texts = (id: number): Field<readonly string[]> => ({ id, kind: 'text', repeated: true });
export const bytes = (id: number): Field<Uint8Array> => ({ id, kind: 'bytes', repeated: false });
export const byteStrings = (id: number): Field<readonly Uint8Array[]> => ({
  id,
  kind: 'bytes',
  repeated: true,
});
export const int32s = (id: number): Field<Int32Array> => ({ id, kind: 'numbers', of: 'int32' });
export const int64s = (id: number): Field<BigInt64Array> => ({ id, kind: 'numbers', of: 'int64' });
export const uint64s = (id: number): Field<BigUint64Array> => ({ id, kind: 'numbers', of: 'uint64' });
export const floats = (id: number): Field<Float32Array> => ({ id, kind: 'numbers', of: 'float' });
export const doubles = (id: number): Field<Float64Array> => ({ id, kind: 'numbers', of: 'double' });

export function message<Message>(id: number, schema: () => Schema<Message>): Field<Message> {
  return { id, kind: 'message', repeated: false, schema };
}

export function messages<Message>(id: number, schema: () => Schema<Message>): Field<readonly Message[]> {
  return { id, kind: 'message', repeated: true, schema };
}
