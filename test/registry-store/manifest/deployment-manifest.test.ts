/** The manifest of what is live: strict to read, and a pure change to deploy. */
import { describe, expect, test } from 'vitest';
import {
  type DeploymentManifest,
  deployVersion,
  deploymentManifestJson,
  parseDeploymentManifest,
} from '../../../registry-store/manifest/deployment-manifest.ts';

const changed = { at: '2026-01-01T00:00:00.000Z', by: 'Ada', why: 'a test' };
const empty: DeploymentManifest = { revision: 1, changed, deployments: new Map() };
const [one, two] = [
  { model: 'iris', version: '1.0.0', sha256: '1'.repeat(64) },
  { model: 'iris', version: '2.0.0', sha256: '2'.repeat(64) },
];

function json(manifest: DeploymentManifest): Record<string, unknown> {
  return JSON.parse(JSON.stringify(deploymentManifestJson(manifest))) as Record<string, unknown>;
}

test('is read back as it was written', () => {
  const manifest = deployVersion(deployVersion(empty, one, changed), two, changed);
  expect(parseDeploymentManifest(json(manifest))).toEqual({ ok: true, value: manifest });
});

test('deploying leaves the manifest it starts from alone', () => {
  const first = deployVersion(empty, one, changed);
  const second = deployVersion(first, two, changed);
  expect([empty, first, second].map(({ revision }) => revision)).toEqual([1, 2, 3]);
  expect(first.deployments.get('iris')).toEqual({ ...one, strategy: 'all' });
  expect(second.deployments.get('iris')).toEqual({
    ...two,
    previousVersion: '1.0.0',
    previousSha256: one.sha256,
    strategy: 'all',
  });
});

describe('refuses', () => {
  const row = { version: '1.0.0', sha256: '1'.repeat(64), strategy: 'all' };
  const withRow = (name: string, value: unknown): object => ({
    ...json(empty),
    deployments: { [name]: value },
  });
  test.each([
    ['nothing', null],
    ['a newer schema', { ...json(empty), schema: 2 }],
    ['no revision', { ...json(empty), revision: 0 }],
    ['nobody', { ...json(empty), changed: { at: changed.at, why: '' } }],
    ['a strategy it does not know', withRow('iris', { ...row, strategy: 'canary' })],
    ['no digest', withRow('iris', { ...row, sha256: undefined })],
    ['a digest in capital letters', withRow('iris', { ...row, sha256: 'A'.repeat(64) })],
    ['a previous version without its digest', withRow('iris', { ...row, previous_version: '0.9' })],
    ['a previous digest without its version', withRow('iris', { ...row, previous_sha256: row.sha256 })],
    ['a model called stats', withRow('stats', row)],
    ['a model called ../x', withRow('../x', row)],
    ['a deployment that is a text', withRow('iris', '1.0.0')],
    ['deployments as a list', { ...json(empty), deployments: [row] }],
  ])('%s', (_, value) => {
    expect(parseDeploymentManifest(value)).toMatchObject({ ok: false });
  });

  test('a model that names a prototype', () => {
    const value: unknown = JSON.parse(
      JSON.stringify(json(empty)).replace('{}', `{"__proto__":${JSON.stringify(row)}}`),
    );
    expect(parseDeploymentManifest(value).ok).toBe(false);
  });
});
