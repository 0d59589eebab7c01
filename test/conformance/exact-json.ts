/**
 * JSON whose whole numbers are exact: those that a double cannot hold are `bigint`, in both directions. `JSON.parse` alone
 * would round the very digits that a check wants to see.
 */

/** What JSON can hold, with `bigint` for whole numbers beyond 2^53. */
export type JsonValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue | undefined };

/** Marks a number that was put into quotes. A NUL cannot stand in a JSON text unescaped, and names no number. */
const mark = '\u0000whole:';
const stringOrNumber = /"(?:[^"\\]+|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/gs;

/** Throws a `SyntaxError` when the text is not JSON. */
export function readJson(text: string): unknown {
  // First as it is: the rewritten text must not be valid where the original is not.
  const plain: unknown = JSON.parse(text);
  const quoted = text.replace(stringOrNumber, (token) => {
    if (token.startsWith('"') || Number.isSafeInteger(Number(token)) || !/^-?\d+$/.test(token)) return token;
    return JSON.stringify(mark + token);
  });
  if (quoted === text) return plain;
  return JSON.parse(quoted, (_name, value: unknown) =>
    typeof value === 'string' && value.startsWith(mark) ? BigInt(value.slice(mark.length)) : value,
  );
}

/** Leaves out members that are undefined, as `JSON.stringify` does. */
export function writeJson(value: JsonValue): string {
  if (typeof value === 'bigint') return String(value);
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (isList(value)) return `[${value.map(writeJson).join(',')}]`;
  const members = Object.entries(value).flatMap(([name, member]) =>
    member === undefined ? [] : [`${JSON.stringify(name)}:${writeJson(member)}`],
  );
  return `{${members.join(',')}}`;
}

/** `Array.isArray` does not narrow lists that are readonly. */
function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}
