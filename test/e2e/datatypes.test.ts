/**
 * Every datatype in every format, at the edges of its range: what goes in comes back to the last bit. onnxruntime-web
 * has an Identity for all of the protocol's datatypes, so nothing between the sockets may change an element.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Datatype, datatypes } from '../../runtime/tensor/dtype.ts';
import { type Form, forms } from './callers.ts';
import { type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { echoModel } from './odd-models.ts';
import { differences, type Tensor, tensorOf, type Values } from './tensor.ts';

const edges: Readonly<Record<Datatype, Values>> = {
  BOOL: [0, 1, 1, 0],
  UINT8: [0, 1, 127, 128, 255],
  UINT16: [0, 1, 256, 65_535],
  UINT32: [0, 1, 2 ** 31, 2 ** 32 - 1],
  UINT64: [0n, 1n, 2n ** 53n - 1n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n, 1_234_567_890_123_456_789n],
  INT8: [-128, -1, 0, 1, 127],
  INT16: [-32_768, -1, 0, 32_767],
  INT32: [-(2 ** 31), -1, 0, 2 ** 31 - 1],
  INT64: [-(2n ** 63n), -(2n ** 53n) - 1n, -1n, 0n, 2n ** 53n + 1n, 2n ** 63n - 1n, 999_999_999_999_999_999n],
  // Bit patterns: zeros, smallest and largest subnormal, smallest normal, a third, one, largest, infinities, NaN.
  FP16: [0, 0x8000, 1, 0x8001, 0x3ff, 0x400, 0x3555, 0x3c00, 0x7bff, 0xfbff, 0x7c00, 0xfc00, 0x7e00],
  FP32: [
    0,
    -0,
    2 ** -149,
    -(2 ** -149),
    2 ** -126 - 2 ** -149,
    2 ** -126,
    Math.fround(0.1),
    Math.fround(1 / 3),
    16_777_215,
    16_777_216,
    1e21,
    Math.fround(123_456_789),
    (2 - 2 ** -23) * 2 ** 127,
    -(2 - 2 ** -23) * 2 ** 127,
    Infinity,
    -Infinity,
    NaN,
  ],
  FP64: [
    0,
    -0,
    5e-324,
    -5e-324,
    2.225073858507201e-308,
    2.2250738585072014e-308,
    0.1,
    1 / 3,
    2 ** 53 - 1,
    1e21,
    1.7976931348623157e308,
    -1.7976931348623157e308,
    123_456_789_012_345_680,
    Infinity,
    -Infinity,
    NaN,
  ],
  BYTES: [
    '',
    'a',
    ' ',
    'NaN',
    '12345678901234567x',
    'quotes " and \\ and /',
    'line\r\nbreak\ttab',
    '\u0001\u001f\u007f\u0080',
    'gr\u00fc\u00dfe \u4e16\u754c',
    '\u{1f600}\u{10ffff}',
    '\u2028\u2029\ufeff\ufffd',
    'e\u0301 is not \u00e9',
    'x'.repeat(70_000),
  ],
};

/** msgpackr, which writes the values of the tests, writes -0 as the whole number 0: what never left cannot come back. */
function edgesFor(datatype: Datatype, form: Form): Values {
  const losesSign = form.endsWith('-values') && datatype.startsWith('FP');
  const minusZero = datatype === 'FP16' ? 0x8000 : -0;
  return edges[datatype].map((value) => (losesSign && Object.is(value, minusZero) ? 0 : value));
}

function edgeTensor(datatype: Datatype, form: Form): Tensor {
  const values = edgesFor(datatype, form);
  return tensorOf({ name: 'x0', datatype, shape: [1, values.length] }, values);
}

describe.each([
  { where: 'on a thread', inlineRunUsMax: 0 },
  { where: 'on the event loop', inlineRunUsMax: 1_000_000 },
])('$where', ({ inlineRunUsMax }) => {
  let under: GatewayUnderTest;
  beforeAll(async () => {
    const models = datatypes.flatMap((datatype) => [
      {
        name: datatype,
        version: '1.0.0',
        file: echoModel([{ datatype, shape: ['batch', edges[datatype].length] }]),
      },
      { name: `${datatype}-free`, version: '1.0.0', file: echoModel([{ datatype, shape: ['batch', 'n'] }]) },
    ]);
    under = await startTestGateway({ models, inlineRunUsMax });
  });
  afterAll(() => under.close());

  const cases = datatypes.flatMap((datatype) => forms.map((form): [Datatype, Form] => [datatype, form]));
  test.each(cases)('%s comes back as it went, as %s', async (datatype, form) => {
    const caller = under.caller(form);
    const edge = edgeTensor(datatype, form);
    const rows = 3;
    const column = tensorOf({ ...edge, shape: [rows, 1] }, edgesFor(datatype, form).slice(0, rows));
    for (const [model, input] of [
      [datatype, edge],
      [`${datatype}-free`, edge],
      [`${datatype}-free`, column],
    ] as const) {
      const outcome = await caller.call({ model, inputs: [input] });
      if (outcome.kind === 'error') throw new Error(`${outcome.code}: ${outcome.message}`);
      expect(differences(outcome.outputs, [{ ...input, name: 'y0' }])).toEqual([]);
    }
  });

  test('and so do all of them at once, each in the batch of its own model', async () => {
    const calls = forms.flatMap((form) => {
      const caller = under.caller(form);
      const inOrder = form.startsWith('stream');
      return inOrder
        ? datatypes.map((datatype) => ({ caller, datatype }))
        : [{ caller, datatype: datatypes[0]! }];
    });
    const wrong = await Promise.all(
      calls.map(async ({ caller, datatype }) => {
        const edge = edgeTensor(datatype, caller.form);
        const outcome = await caller.call({ model: datatype, inputs: [edge] });
        return outcome.kind === 'error'
          ? [outcome.code]
          : differences(outcome.outputs, [{ ...edge, name: 'y0' }]);
      }),
    );
    expect(wrong.flat()).toEqual([]);
  });
});
