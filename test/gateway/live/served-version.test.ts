/** What a node makes of a deployment with pipelines: one version each, whose signature, size and digest are those of the whole. */
import { describe, expect, it } from 'vitest';
import {
  filesIn,
  readModelFiles,
  type ServedVersion,
  servedVersions,
} from '../../../gateway/live/served-version.ts';
import type { Deployment, VersionMetadata } from '../../../registry-store/main.ts';
import type { Pipeline } from '../../../registry-store/manifest/pipeline.ts';
import { linearModel, offsetModel, scaleModel } from '../../e2e/pipeline-models.ts';
import { PuppetStore } from '../../e2e/puppet-store.ts';

const store = new PuppetStore();
for (const version of ['1', '2', '3']) store.publish('m', version, linearModel({ a: 1, b: Number(version) }));
store.publish('half', '1', linearModel({ a: 0.5, b: 0 }));
store.publish('third', '1', linearModel({ a: 1 / 3, b: 0 }));
store.publish('scale', '1', scaleModel());
store.publish('offset', '1', offsetModel());
const { models } = store.current;

function pipeline(model: string): Pipeline {
  const sha256 = models.get(model)?.get('1')?.artifact.sha256 ?? '';
  return { before: [{ model, version: '1', sha256, wires: [{ output: 'y', input: 'x' }] }], after: [] };
}

function deployed(more: Partial<Deployment>): ReadonlyMap<string, ServedVersion> {
  const sha256 = models.get('m')?.get('1')?.artifact.sha256 ?? '';
  return servedVersions({ model: 'm', version: '1', sha256, strategy: 'all', ...more }, { models });
}

function digest(versions: ReadonlyMap<string, ServedVersion>, version = '1'): string | undefined {
  return versions.get(version)?.artifact.sha256;
}

describe('a version with a pipeline', () => {
  it('is one model to whoever loads it: all bytes, one digest, one signature', async () => {
    const version = deployed({ pipeline: pipeline('half') }).get('1');
    const [half, m] = [models.get('half')?.get('1'), models.get('m')?.get('1')];
    expect(version?.pipeline).toMatchObject({
      ok: true,
      text: 'half@1 -> m@1',
      links: [
        { name: 'half 1', fileBytes: half?.artifact.lengthBytes, sources: [{ from: 'caller', index: 0 }] },
        { name: 'm 1', fileBytes: m?.artifact.lengthBytes, sources: [{ from: 'before', index: 0 }] },
      ],
    });
    const files = await readModelFiles(version!, (one) => store.readArtifact(one));
    expect(files.byteLength).toBe(version?.artifact.lengthBytes);
    const alone = await readModelFiles(half!, (one) => store.readArtifact(one));
    expect(Buffer.compare(files.subarray(0, alone.byteLength), alone)).toBe(0);
    const [first, second] = filesIn(version!, files);
    expect(Buffer.compare(first!, alone)).toBe(0);
    expect(second!.byteLength).toBe(files.byteLength - alone.byteLength);
  });

  it('is another one with another pipeline, and the same one with the same', () => {
    const digests = [undefined, pipeline('half'), pipeline('third')].map((each) =>
      digest(deployed(each === undefined ? {} : { pipeline: each })),
    );
    expect(new Set(digests).size).toBe(3);
    expect(digest(deployed({ pipeline: pipeline('half') }))).toBe(digests[1]);
  });

  it('is another one when a tensor goes another way between the same models', () => {
    const [half] = pipeline('half').before;
    const ways = ['y', 'offset'].map((input) => {
      const before = [{ ...half!, wires: [{ output: 'y', input }] }];
      const versions = deployed({ model: 'offset', pipeline: { before, after: [] } });
      return [digest(versions), versions.get('1')?.signature.inputs.map(({ name }) => name)];
    });
    expect(ways.map(([, inputs]) => inputs)).toEqual([
      ['x', 'offset'],
      ['x', 'y'],
    ]);
    expect(ways[0]?.[0]).not.toBe(ways[1]?.[0]);
  });

  it('has the one of its place: live, candidate, kept for going back', () => {
    const candidate = { version: '2', sha256: '', pipeline: pipeline('half') };
    const other = { version: '3', sha256: '', trafficBps: 1, rolloutId: 'r', pipeline: pipeline('third') };
    const texts = (versions: ReadonlyMap<string, ServedVersion>): unknown[] =>
      ['1', '2', '3'].map((version) => {
        const served = versions.get(version)?.pipeline;
        return served?.ok === true ? served.text : served;
      });
    expect(texts(deployed({ strategy: 'canary', candidate, others: [other] }))).toEqual([
      undefined,
      'half@1 -> m@2',
      'third@1 -> m@3',
    ]);
    const before = { previousVersion: '2', previousSha256: '', previousPipeline: pipeline('third') };
    expect(texts(deployed({ ...before, pipeline: pipeline('half') }))).toEqual([
      'half@1 -> m@1',
      'third@1 -> m@2',
      undefined,
    ]);
    // Where a version is named twice, the one that takes traffic counts.
    expect(texts(deployed({ ...before, strategy: 'canary', candidate }))[1]).toBe('half@1 -> m@2');
  });

  it.each<[string, Pipeline, string]>([
    ['does not fit', pipeline('scale'), 'PIPELINE_REFUSED: scale 1 has no output y. It has: scaled.'],
    [
      'is gone',
      { ...pipeline('half'), after: pipeline('none').before },
      'PIPELINE_REFUSED: none 1 is not in the store.',
    ],
  ])('whose pipeline %s says why it is not loaded', (_, broken, reason) => {
    expect(deployed({ pipeline: broken }).get('1')?.pipeline).toEqual({ ok: false, reason });
  });
});

it('versions that run alone are the objects of the store', () => {
  const versions = deployed({ previousVersion: '2', previousSha256: '' });
  for (const [name, version] of models.get('m') ?? new Map<string, VersionMetadata>()) {
    expect(versions.get(name)).toBe(version);
  }
});
