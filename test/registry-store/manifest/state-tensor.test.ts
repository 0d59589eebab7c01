/** What may be declared as state, and that a signed declaration comes back as it was. */
import { describe, expect, it } from 'vitest';
import type { ModelSignature } from '../../../registry-store/main.ts';
import { FieldReader } from '../../../registry-store/manifest/field-reader.ts';
import {
  declaredState,
  readState,
  stateJson,
  stateProblem,
} from '../../../registry-store/manifest/state-tensor.ts';

const signature: ModelSignature = {
  inputs: [
    { name: 'x', datatype: 'FP32', shape: [-1, 4] },
    { name: 'open', datatype: 'FP32', shape: [2, -1, 8] },
    { name: 'fixed', datatype: 'INT64', shape: [3] },
    { name: 'text', datatype: 'BYTES', shape: [1] },
  ],
  outputs: [
    { name: 'y', datatype: 'FP32', shape: [-1] },
    { name: 'openN', datatype: 'FP32', shape: [-1, -1, -1] },
    { name: 'fixedN', datatype: 'INT64', shape: [3] },
    { name: 'half', datatype: 'FP16', shape: [2, 1, 8] },
    { name: 'other', datatype: 'FP32', shape: [2, 1, 9] },
    { name: 'textN', datatype: 'BYTES', shape: [1] },
  ],
  batching: 'none',
};

const open = { input: 'open', output: 'openN', shape: [2, 1, 8] };
const fixed = { input: 'fixed', output: 'fixedN', shape: [3] };

describe('state', () => {
  it('takes the sizes that the model fixes and those that are said', () => {
    const declared = declaredState([{ input: 'fixed', output: 'fixedN' }, open], signature);
    expect(declared).toEqual([fixed, open]);
    expect(stateProblem(declared, signature)).toBeUndefined();
  });

  it.each([
    ['an input that is not there', { ...open, input: 'z' }, 'no input z'],
    ['an output that is not there', { ...open, output: 'z' }, 'no output z'],
    ['text', { input: 'text', output: 'textN', shape: [1] }, 'text cannot be state'],
    ['two datatypes', { ...open, output: 'half' }, 'half is FP16, open FP32'],
    ['an output that the input does not take', { ...open, output: 'other' }, 'takes [2,-1,8]'],
    ['another rank', { ...open, output: 'y' }, 'takes [2,-1,8]'],
    ['a size other than that of the model', { ...open, shape: [2, 1, 9] }, 'cannot begin with [2,1,9]'],
    ['sizes that are left open', { ...open, shape: [2, -1, 8] }, 'say what it begins with'],
    ['more bytes than may be', { ...open, shape: [2, 2 ** 20, 8] }, 'the limit is 16777216'],
  ])('cannot be %s', (_, state, problem) => {
    expect(stateProblem([state], signature)).toContain(problem);
  });

  it('names no tensor twice and leaves something to send and to answer', () => {
    expect(stateProblem([open, open], signature)).toContain('an input is declared twice');
    const [x] = signature.inputs;
    const echo: ModelSignature = {
      inputs: [{ ...x!, shape: [4] }],
      outputs: [{ name: 'a', datatype: 'FP32', shape: [4] }],
      batching: 'none',
    };
    const only = { input: 'x', output: 'a', shape: [4] };
    expect(stateProblem([only], echo)).toContain('every input is state');
    const two = { ...echo, inputs: [...echo.inputs, { ...x!, name: 'b', shape: [4] }] };
    expect(stateProblem([only], two)).toContain('every output is state');
    expect(stateProblem([only, { ...only, input: 'b' }], { ...two, outputs: echo.outputs })).toContain(
      'an output is declared twice',
    );
  });

  it('comes back from what was signed, and what cannot be is refused by whoever reads it', () => {
    const read = (value: unknown): { problem: string | undefined; state: unknown } => {
      const reader = new FieldReader(value, 'the metadata');
      const state = readState(reader, signature);
      return { problem: reader.problem, state };
    };
    expect(read({ state: stateJson([open, fixed]) })).toEqual({ problem: undefined, state: [open, fixed] });
    expect(read({})).toEqual({ problem: undefined, state: [] });
    expect(read({ state: [{ ...open, output: 'half' }] }).problem).toContain('declares what cannot be');
    expect(read({ state: [{ ...open, shape: [0.5] }] }).problem).toContain('a size that is not one');
    expect(read({ state: 'open' }).problem).toBeDefined();
  });
});
