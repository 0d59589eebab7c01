/** How a blue/green goes on and what is watched after it, as they are signed: read back as they were, refused where they cannot be. */
import { describe, expect, test } from 'vitest';
import {
  type Deployment,
  deploymentJson,
  readDeployment,
} from '../../../registry-store/manifest/deployment.ts';
import { FieldReader } from '../../../registry-store/manifest/field-reader.ts';

const live = { model: 'iris', version: '1.0.0', sha256: 'a'.repeat(64) };
const analysis = { gates: { nan: { action: 'ignore' } } } as const;
const blueGreen: Deployment = {
  ...live,
  strategy: 'blue_green',
  candidate: { version: '2.0.0', sha256: 'b'.repeat(64) },
  rolloutId: 'iris:1',
  flip: { autoAfterMs: 600_000, previewRequestsMin: 20, watchMs: 3_600_000 },
  analysis,
};
const promoted: Deployment = {
  ...live,
  previousVersion: '0.9.0',
  previousSha256: 'c'.repeat(64),
  strategy: 'all',
  watch: { rolloutId: 'iris:1', watchMs: 3_600_000 },
  analysis,
};

function read(json: unknown): { readonly deployment: Deployment; readonly problem: string | undefined } {
  const reader = new FieldReader(json, 'the deployment');
  const deployment = readDeployment('iris', reader);
  return { deployment, problem: reader.problem };
}

test.each([blueGreen, promoted, { ...blueGreen, flip: { previewRequestsMin: 1, mirrorBps: 2000 } }])(
  'is read back as it was signed',
  (deployment) => {
    expect(read(deploymentJson(deployment))).toEqual({ deployment, problem: undefined });
  },
);

describe('is refused', () => {
  const flipped = (flip: unknown): object => ({ ...deploymentJson(blueGreen), flip });
  const watched = (watch: unknown): object => ({ ...deploymentJson(promoted), watch });
  /** As JSON, without some of its fields. */
  const without = (deployment: Deployment, ...names: readonly string[]): object =>
    Object.fromEntries(Object.entries(deploymentJson(deployment)).filter(([name]) => !names.includes(name)));
  const alone = without(promoted, 'previous_version', 'previous_sha256');

  test.each<[string, object, string]>([
    ['a flip within a second', flipped({ auto_after_ms: 999, preview_requests_min: 1 }), 'auto_after_ms'],
    ['a preview that nobody needs to try', flipped({ preview_requests_min: 0 }), 'preview_requests_min'],
    ['a flip without its requests', flipped({ auto_after_ms: 1000 }), 'preview_requests_min'],
    ['a watch of months', flipped({ preview_requests_min: 1, watch_ms: 1e11 }), 'watch_ms'],
    ['a watch of nothing known', watched({ watch_ms: 1000 }), 'rollout_id'],
    ['a watch without a version to go back to', alone, 'watched'],
    [
      'a watch during a rollout',
      { ...deploymentJson(blueGreen), watch: deploymentJson(promoted)['watch'] },
      'watched',
    ],
    ['a flip of a canary', { ...deploymentJson(blueGreen), strategy: 'canary', traffic_bps: 1 }, 'flip'],
    ['gates of a preview that nobody judges', without(blueGreen, 'flip'), 'judged'],
  ])('%s', (_, json, named) => {
    expect(read(json).problem).toContain(named);
  });
});
