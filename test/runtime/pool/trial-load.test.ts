/** A model on trial in the real runtime: what it costs when it loads, and in plain words why when it does not. */
import { describe, expect, it } from 'vitest';
import { tensor } from '../../../registry-store/onnx/tensor-value.ts';
import {
  GraphBuilder,
  type NodeOptions,
  tensorType,
  type WriteOptions,
  writeOnnxModel,
} from '../../../registry-store/onnx/write-model.ts';
import { type TrialOutcome, tryModel } from '../../../runtime/pool/trial-load.ts';
import type { Datatype } from '../../../runtime/tensor/dtype.ts';
import { refusalWords, runtimeWords } from '../../../runtime/worker/refusal-words.ts';
import { demoModel, signatureOf } from './pool-under-test.ts';

function onTrial(model: Uint8Array, signal = new AbortController().signal): Promise<TrialOutcome> {
  const workerFile = new URL('../../../dist/runtime/worker/main.js', import.meta.url);
  return tryModel({ workerFile, model, signature: signatureOf(model), warmRows: [4], signal });
}

/** One operator on rows of two, given back in the same type. */
function single(
  operator: string,
  options: { readonly datatype?: Datatype; readonly node?: NodeOptions; readonly write?: WriteOptions } = {},
): Uint8Array {
  const graph = new GraphBuilder('single');
  const type = tensorType(options.datatype ?? 'FP32', ['batch', 2]);
  graph.node(operator, [graph.input('x', type)], { ...options.node, outputs: ['y'] });
  graph.output('y', type);
  return writeOnnxModel(graph, options.write);
}

describe('a model that the runtime takes', () => {
  it('is measured at one row and at those asked for', async () => {
    const outcome = await onTrial(demoModel('iris-1.0.0'));
    if (outcome.kind !== 'loaded') throw new Error(outcome.message);
    expect(outcome).toMatchObject({ batching: 'rows', note: undefined });
    expect(outcome.costs.map(({ rows }) => rows)).toEqual([1, 4]);
    expect(outcome.memoryBytes).toBeGreaterThan(0);
  });

  it('is measured too when it runs every request alone', async () => {
    const graph = new GraphBuilder('fixed');
    const type = tensorType('FP32', [3, 2]);
    graph.node('Relu', [graph.input('x', type)], { outputs: ['y'] });
    graph.output('y', type);
    const outcome = await onTrial(writeOnnxModel(graph));
    expect(outcome).toMatchObject({ kind: 'loaded', batching: 'none' });
    if (outcome.kind === 'loaded') expect(outcome.costs).toHaveLength(1);
  });
});

describe('a model that the runtime refuses is told so in plain words:', () => {
  const wrongWeight = new GraphBuilder('weight');
  const short = { ...tensor('FP32', [1], [1]), dims: BigInt64Array.of(2n) };
  const type = tensorType('FP32', ['batch', 2]);
  const inputs = [wrongWeight.input('x', type), wrongWeight.constant('w', short)];
  wrongWeight.node('Add', inputs, { outputs: ['y'] });
  wrongWeight.output('y', type);

  it.each([
    {
      code: 'UNSUPPORTED_OPERATOR',
      model: single('NoSuchOperator'),
      words: /no operator NoSuchOperator in version 17/,
    },
    {
      code: 'UNSUPPORTED_DATATYPE',
      model: single('Relu', { datatype: 'INT16' }),
      words: /has the operator Relu \(version 14\), but not for the datatypes/,
    },
    {
      code: 'UNSUPPORTED_DATATYPE',
      model: single('Relu', { datatype: 'BOOL' }),
      words: /Relu does not take tensor\(bool\), which it gets as "x"/,
    },
    {
      code: 'UNSUPPORTED_OPSET',
      model: single('Relu', { write: { opset: 99 } }),
      words: /version 99 of the operator set ai\.onnx; .* up to \d+/,
    },
    {
      code: 'UNSUPPORTED_OPSET',
      model: single('Normalizer', {
        node: { domain: 'ai.onnx.ml' },
        write: { opsets: { 'ai.onnx.ml': 99 } },
      }),
      words: /operator set ai\.onnx\.ml/,
    },
    {
      code: 'UNSUPPORTED_IR_VERSION',
      model: single('Relu', { write: { irVersion: 99 } }),
      words: /IR version 99; the runtime reads up to \d+/,
    },
    {
      code: 'INVALID_MODEL',
      model: single('Cast'),
      words: /^The runtime refuses the model: Required attribute 'to' is missing\.$/,
    },
    {
      code: 'INVALID_MODEL',
      model: writeOnnxModel(wrongWeight),
      words: /^The runtime refuses the model: Initializer 'w': raw_data size \(4 bytes\)/,
    },
  ])('$code, $words', async ({ code, model, words }) => {
    const outcome = await onTrial(model);
    expect(outcome).toMatchObject({ kind: 'refused', code });
    if (outcome.kind === 'refused') {
      expect(outcome.message).toMatch(words);
      expect(outcome.message).not.toMatch(/\/mnt|\.cc|ERROR_CODE/);
    }
  });
});

it('ends with the reason of the signal when it is stopped', async () => {
  const controller = new AbortController();
  const outcome = onTrial(demoModel('iris-1.0.0'), controller.signal);
  controller.abort(new Error('enough'));
  await expect(outcome).rejects.toThrow('enough');
  await expect(onTrial(demoModel('iris-1.0.0'), controller.signal)).rejects.toThrow('enough');
});

describe('the words for a refusal', () => {
  it.each([
    [{ code: 'LOST', detail: 'Aborted(OOM)' }, 'RUNTIME_BROKE', /ran out of memory or broke/],
    [{ code: 'MODEL_INVALID', detail: '20518624' }, 'RUNTIME_BROKE', /ran out of memory or broke/],
    [{ code: 'LOST', detail: 'unreachable' }, 'RUNTIME_BROKE', /broke on the model: unreachable/],
    [
      { code: 'LOST', detail: 'the warm-up run broke the runtime: memory access out of bounds' },
      'RUNTIME_BROKE',
      /warms it up broke the runtime \(memory access out of bounds\)/,
    ],
    [{ code: 'SIGNATURE_MISMATCH', detail: 'input x' }, 'SIGNATURE_MISMATCH', /other tensors .*: input x\.$/],
    [{ code: 'MODEL_INVALID', detail: 'unsupported data type: 16' }, 'UNSUPPORTED_DATATYPE', /type 16/],
  ] as const)('%j', (failure, code, words) => {
    const refusal = refusalWords(failure);
    expect(refusal.code).toBe(code);
    expect(refusal.message).toMatch(words);
  });

  it('leave the rest of a sentence as it is', () => {
    expect(
      runtimeWords('failed to call OrtRun(). ERROR_CODE: 2, ERROR_MESSAGE: idx=1 is out of bounds'),
    ).toBe('idx=1 is out of bounds');
  });
});
