/** One inference request as it is about to be sent, whatever the format: the call with its time already resolved. */
import type { ParameterValue } from '../infer-call.ts';
import { packedBytes } from '../tensor/packed-data.ts';
import type { NamedTensor } from '../tensor/tensor.ts';

export interface RequestFields {
  readonly model: string;
  readonly version: string | undefined;
  readonly inputs: readonly NamedTensor[];
  /** Empty for all. */
  readonly outputs: readonly string[];
  /** Milliseconds from now until the caller gives up; Infinity when it never does. */
  readonly remainingMs: number;
  readonly priority: number | undefined;
  readonly parameters: Readonly<Record<string, ParameterValue>>;
}

export interface PackedInput {
  readonly name: string;
  readonly datatype: NamedTensor['datatype'];
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export function packedInputs({ inputs }: RequestFields): readonly PackedInput[] {
  return inputs.map((input) => ({
    name: input.name,
    datatype: input.datatype,
    shape: input.shape,
    bytes: packedBytes(input),
  }));
}

/** What the gateway takes as a deadline: whole milliseconds, 1 to an hour; undefined for a longer one. */
export function wireDeadlineMs(remainingMs: number): number | undefined {
  const deadlineMs = Math.max(1, Math.ceil(remainingMs));
  return deadlineMs <= 3_600_000 ? deadlineMs : undefined;
}

/** Request parameters with the two of the schedule policy extension: `priority`, and `timeout` in microseconds. */
export function scheduledParameters(fields: RequestFields): Record<string, ParameterValue> {
  const deadlineMs = wireDeadlineMs(fields.remainingMs);
  return {
    ...fields.parameters,
    ...(fields.priority === undefined ? {} : { priority: fields.priority }),
    ...(deadlineMs === undefined ? {} : { timeout: deadlineMs * 1000 }),
  };
}
