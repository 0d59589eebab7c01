/** What is signed about a version is read back as it was, or refused. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { datatypes } from '../../../registry-store/manifest/signature.ts';
import { entryStages } from '../../../registry-store/manifest/stage.ts';
import {
  type VersionFacts,
  parseVersionMetadata,
  versionMetadataJson,
} from '../../../registry-store/manifest/version-metadata.ts';

const artifact = { path: 'models/iris/1.0.0/model.onnx', lengthBytes: 3, sha256: 'a'.repeat(64) };

const facts: VersionFacts = {
  name: 'iris',
  version: '1.0.0',
  framework: 'test',
  author: 'test',
  description: '',
  createdAt: '2026-01-01T00:00:00.000Z',
  metrics: new Map([['accuracy', 0.5]]),
  tags: ['a'],
  stage: 'staged',
  published: { revision: 3, by: 'Ada', why: 'a test' },
  state: [],
  signature: { inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 4] }], outputs: [], batching: 'rows' },
  onnx: { irVersion: 8, opsets: new Map([['ai.onnx', 17]]), parameterCount: 0, producer: '' },
};

const tensor = fc.record({
  name: fc.stringMatching(/^[a-z:/._]{1,20}$/),
  datatype: fc.constantFrom(...datatypes),
  shape: fc.array(fc.integer({ min: -1, max: 2 ** 31 }), { maxLength: 5 }),
});

test('every version that can be said can be read', () => {
  const anyFacts = fc.record({
    metrics: fc
      .dictionary(
        fc.stringMatching(/^[a-z][a-z0-9_]{0,8}$/),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
      )
      .map((metrics) => new Map(Object.entries(metrics).map(([name, value]) => [name, value + 0]))),
    tags: fc.array(fc.stringMatching(/^[a-z0-9]{1,8}$/), { maxLength: 5 }),
    stage: fc.constantFrom(...entryStages),
    description: fc.string({ maxLength: 100 }).filter((text) => !/[\u0000-\u001f\u007f]/.test(text)),
    inputs: fc.array(tensor, { maxLength: 3 }),
    outputs: fc.array(tensor, { maxLength: 3 }),
    batching: fc.constantFrom('rows' as const, 'none' as const),
  });
  fc.assert(
    fc.property(anyFacts, ({ inputs, outputs, batching, ...some }) => {
      const all = { ...facts, ...some, signature: { inputs, outputs, batching } };
      const json: unknown = JSON.parse(JSON.stringify(versionMetadataJson(all)));
      expect(parseVersionMetadata(artifact, json)).toEqual({ ok: true, value: { ...all, artifact } });
    }),
  );
});

describe('refuses', () => {
  const json = (): Record<string, unknown> => ({ ...versionMetadataJson(facts) });
  const wrong: readonly (readonly [string, unknown])[] = [
    ['nothing', undefined],
    ['a list', []],
    ['another schema', { ...json(), schema: 2 }],
    ['no schema', { ...json(), schema: undefined }],
    ['another model', { ...json(), name: 'tulip' }],
    ['another version', { ...json(), version: '1.0.1' }],
    ['an unknown stage', { ...json(), stage: 'live' }],
    ['a metric as a number', { ...json(), metrics: { accuracy: 1 } }],
    ['a metric in a second spelling', { ...json(), metrics: { accuracy: '0.50' } }],
    ['a metric that is not finite', { ...json(), metrics: { accuracy: 'Infinity' } }],
    ['metrics as a list', { ...json(), metrics: ['1'] }],
    ['a tag that is no text', { ...json(), tags: [1] }],
    ['a time in another format', { ...json(), created_at: '2026-01-01' }],
    ['an unknown datatype', { ...json(), signature: signature({ datatype: 'FP8' }) }],
    ['a dimension below -1', { ...json(), signature: signature({ shape: [-2] }) }],
    ['half a dimension', { ...json(), signature: signature({ shape: [0.5] }) }],
    ['a shape of no end', { ...json(), signature: signature({ shape: new Array(17).fill(1) }) }],
    ['another way of batching', { ...json(), signature: { inputs: [], outputs: [], batching: 'columns' } }],
  ];

  test.each(wrong)('%s', (_, custom) => {
    expect(parseVersionMetadata(artifact, custom)).toMatchObject({ ok: false });
  });

  test('facts about a path that is not a model', () => {
    expect(parseVersionMetadata({ ...artifact, path: 'deployments/default.json' }, json()).ok).toBe(false);
  });
});

describe('a fixed batch', () => {
  const tensors = { inputs: [tensorOf('x', [8, 4])], outputs: [tensorOf('y', [8])] };
  const fixed = { ...facts, signature: { ...tensors, batching: 'none', fixedRows: 8 } } as const;

  test('is signed with the signature', () => {
    const json = versionMetadataJson(fixed);
    expect(json).toMatchObject({ signature: { batching: 'none', fixed_rows: 8 } });
    expect(parseVersionMetadata(artifact, json)).toEqual({ ok: true, value: { ...fixed, artifact } });
    expect(versionMetadataJson(facts)['signature']).not.toHaveProperty('fixed_rows');
  });

  test.each([
    ['of another size than the tensors have', { ...tensors, batching: 'none', fixed_rows: 4 }],
    ['of one row', { inputs: [tensorOf('x', [1, 4])], outputs: [], batching: 'none', fixed_rows: 1 }],
    [
      'that one tensor does not have',
      { ...tensors, outputs: [tensorOf('y', [])], batching: 'none', fixed_rows: 8 },
    ],
    [
      'of a tensor that leaves it open',
      { ...tensors, outputs: [tensorOf('y', [-1])], batching: 'none', fixed_rows: 8 },
    ],
  ])('%s is refused', (_, wrong) => {
    expect(parseVersionMetadata(artifact, { ...versionMetadataJson(fixed), signature: wrong })).toMatchObject(
      {
        ok: false,
        message: expect.stringMatching(/fixed/) as string,
      },
    );
  });

  test('and state are refused together', () => {
    const all = {
      ...fixed.signature,
      inputs: [tensorOf('x', [8, 4]), tensorOf('state', [8, 2])],
      outputs: [tensorOf('y', [8]), tensorOf('next', [8, 2])],
    };
    const state = [{ input: 'state', output: 'next', shape: [8, 2] }];
    expect(
      parseVersionMetadata(artifact, versionMetadataJson({ ...fixed, signature: all, state })),
    ).toMatchObject({
      ok: false,
      message: expect.stringContaining('has state and a fixed batch') as string,
    });
  });
});

test('does not mind what a later release adds', () => {
  const custom = { ...versionMetadataJson(facts), reference_bins: [1, 2, 3] };
  expect(parseVersionMetadata(artifact, custom).ok).toBe(true);
});

function tensorOf(name: string, shape: readonly number[]) {
  return { name, datatype: 'FP32', shape } as const;
}

function signature(change: Readonly<Record<string, unknown>>): object {
  const inputs = [{ name: 'x', datatype: 'FP32', shape: [1], ...change }];
  return { inputs, outputs: [], batching: 'none' };
}
