/** Who may speak for which file. */
import { describe, expect, test } from 'vitest';
import { resolveTargets } from '../../../registry-store/trust/delegation.ts';
import type { Delegation, SignedTarget } from '../../../registry-store/trust/signed-content.ts';

function role(name: string, patterns: readonly string[], terminating = true): Delegation {
  return { name, patterns, terminating, keys: { role: name, threshold: 1, keys: new Map() } };
}

function listing(...paths: readonly string[]): ReadonlyMap<string, SignedTarget> {
  return new Map(paths.map((path) => [path, { path, sizeBytes: 1, sha256: path, custom: undefined }]));
}

describe('a role', () => {
  test.each([
    ['models/*/*/*', 'models/iris/1.0.0/model.onnx'],
    ['models/vision-*/*/*', 'models/vision-digits/1/model.onnx'],
    ['models/iris/1.*/model.onnx', 'models/iris/1.5/model.onnx'],
    ['models/iris/1.0/model.onnx', 'models/iris/1.0/model.onnx'],
  ])('with the pattern %s may list %s', (pattern, path) => {
    const resolved = resolveTargets([role('models', [pattern])], new Map([['models', listing(path)]]));
    expect(resolved.ok && resolved.value.has(path)).toBe(true);
  });

  test.each([
    ['models', 'models/*', 'models/iris/1/model.onnx'],
    ['models', 'models/*/*/*', 'models/iris/model.onnx'],
    ['models', 'models/*/*/*', 'models/team/iris/1/model.onnx'],
    ['models', 'models/vision-*/*/*', 'models/iris/1/model.onnx'],
    ['models', 'models/iris/1.0/*', 'models/iris/1x0/model.onnx'],
    ['models', '*/*', 'deployments/default.json'],
    ['models-vision', '*/*', 'deployments/default.json'],
    ['deployments', '*/*/*/*', 'models/iris/1/model.onnx'],
    ['modelsx', '*/*/*/*', 'models/iris/1/model.onnx'],
  ])('%s with the pattern %s may not list %s', (name, pattern, path) => {
    const resolved = resolveTargets([role(name, [pattern])], new Map([[name, listing(path)]]));
    expect(resolved).toMatchObject({ ok: false, check: 'delegation' });
  });
});

describe('where two roles could speak', () => {
  const path = 'models/iris/1/model.onnx';
  const mine = { path, sizeBytes: 1, sha256: 'mine', custom: undefined };
  const other = { ...mine, sha256: 'other' };

  test('the first decides', () => {
    const resolved = resolveTargets(
      [role('models-a', ['models/*/*/*'], false), role('models-b', ['models/*/*/*'])],
      new Map([
        ['models-a', new Map([[path, mine]])],
        ['models-b', new Map([[path, other]])],
      ]),
    );
    expect(resolved.ok && resolved.value.get(path)).toBe(mine);
  });

  test('a terminating first role decides also by its silence', () => {
    const signedBy = new Map([
      ['models-a', listing()],
      ['models-b', new Map([[path, other]])],
    ]);
    const patterns = ['models/*/*/*'];
    const silent = resolveTargets([role('models-a', patterns), role('models-b', patterns)], signedBy);
    expect(silent.ok && silent.value.has(path)).toBe(false);
    const open = resolveTargets([role('models-a', patterns, false), role('models-b', patterns)], signedBy);
    expect(open.ok && open.value.get(path)).toBe(other);
  });
});
