/** The models of a pipeline as they are asked for over the control API, and that nothing is guessed of what is not said. */
import { describe, expect, test } from 'vitest';
import { readDeploy } from '../../../gateway/admin/control-requests.ts';
import { fieldsOf } from '../../../gateway/admin/request-fields.ts';

function deploy(pipeline: unknown): ReturnType<typeof readDeploy> {
  return readDeploy(fieldsOf({ version: '1', pipeline }) ?? new Map<string, unknown>(), 'm');
}

const scale = { model: 'scale', version: '1' };
const wired = { ...scale, wires: [{ output: 'y', input: 'x' }] };

describe('a pipeline', () => {
  test.each([
    [
      { before: [scale], after: [wired] },
      { before: [scale], after: [wired] },
    ],
    [{ after: [scale] }, { before: [], after: [scale] }],
    [{}, { before: [], after: [] }],
    [null, undefined],
  ])('is read: %j', (asked, read) => {
    expect(deploy(asked)).toMatchObject({ ok: true, value: { model: 'm' } });
    const result = deploy(asked);
    expect(result.ok && result.value.pipeline).toEqual(read);
  });

  test.each([
    ['scale@1'],
    [[scale]],
    [{ before: scale }],
    [{ before: ['scale@1'] }],
    [{ before: [{ model: 'scale' }] }],
    [{ before: [{ ...scale, sha256: 'a' }] }],
    [{ middle: [scale] }],
    [{ after: [{ ...scale, wires: ['y=x'] }] }],
    [{ after: [{ ...scale, wires: [{ output: 'y' }] }] }],
    [{ after: [{ ...scale, wires: [{ output: 'y', input: 1 }] }] }],
  ])('is refused: %j', (asked) => {
    expect(deploy(asked)).toMatchObject({
      ok: false,
      code: 'INVALID_REQUEST',
      message: expect.stringMatching(/^The field 'pipeline' is not /) as unknown,
    });
  });
});
