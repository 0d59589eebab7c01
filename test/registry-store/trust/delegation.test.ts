/** Who may speak for which file. */
import { describe, expect, test } from 'vitest';
import { type Listing, resolveTargets } from '../../../registry-store/trust/delegation.ts';
import type { Delegation, SignedTarget } from '../../../registry-store/trust/signed-content.ts';

function role(name: string, patterns: readonly string[], terminating = true): Delegation {
  return { name, patterns, terminating, keys: { role: name, threshold: 1, keys: new Map() } };
}

function target(path: string, sha256 = path): SignedTarget {
  return { path, sizeBytes: 1, sha256, custom: undefined };
}

function listing(...targets: readonly (string | SignedTarget)[]): Listing {
  const signed = targets.map((entry) => (typeof entry === 'string' ? target(entry) : entry));
  return { targets: new Map(signed.map((entry) => [entry.path, entry])), delegations: [] };
}

function delegating(...delegations: readonly Delegation[]): Listing {
  return { targets: new Map(), delegations };
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
  const mine = target(path, 'mine');
  const other = target(path, 'other');

  test('the first decides', () => {
    const resolved = resolveTargets(
      [role('models-a', ['models/*/*/*'], false), role('models-b', ['models/*/*/*'])],
      new Map([
        ['models-a', listing(mine)],
        ['models-b', listing(other)],
      ]),
    );
    expect(resolved.ok && resolved.value.get(path)).toBe(mine);
  });

  test('a terminating first role decides also by its silence', () => {
    const signedBy = new Map([
      ['models-a', listing()],
      ['models-b', listing(other)],
    ]);
    const patterns = ['models/*/*/*'];
    const silent = resolveTargets([role('models-a', patterns), role('models-b', patterns)], signedBy);
    expect(silent.ok && silent.value.has(path)).toBe(false);
    const open = resolveTargets([role('models-a', patterns, false), role('models-b', patterns)], signedBy);
    expect(open.ok && open.value.get(path)).toBe(other);
  });
});

describe('a role below a role', () => {
  const iris = 'models/iris/1/model.onnx';
  const digits = 'models/digits/1/model.onnx';

  test('speaks for what both delegations give it', () => {
    const signedBy = new Map([
      ['models', delegating(role('models-iris', ['models/iris/*/*']), role('models-b', ['models/*/*/*']))],
      ['models-iris', listing(target(iris, 'own'))],
      ['models-b', listing(target(iris, 'late'), digits)],
    ]);
    const resolved = resolveTargets([role('models', ['models/*/*/*'])], signedBy);
    expect(resolved.ok && resolved.value.get(iris)?.sha256).toBe('own');
    expect(resolved.ok && resolved.value.has(digits)).toBe(true);
  });

  test.each([
    ['more than its parent was given', ['models/iris/*/*'], ['models/*/*/*'], digits],
    ['more than its parent gave', ['models/*/*/*'], ['models/iris/*/*'], digits],
    ['what another family decides', ['*/*'], ['*/*'], 'deployments/default.json'],
  ])('may not list %s', (_case, above, below, path) => {
    const signedBy = new Map([
      ['models', delegating(role('models-x', below))],
      ['models-x', listing(path)],
    ]);
    const resolved = resolveTargets([role('models', above)], signedBy);
    expect(resolved).toMatchObject({ ok: false, check: 'delegation' });
  });

  test('is silent about what a terminating role before its parent took', () => {
    const signedBy = new Map([
      ['models-first', listing()],
      ['models', delegating(role('models-iris', ['models/iris/*/*']))],
      ['models-iris', listing(iris)],
    ]);
    const resolved = resolveTargets(
      [role('models-first', ['models/iris/*/*']), role('models', ['models/*/*/*'])],
      signedBy,
    );
    expect(resolved.ok && resolved.value.has(iris)).toBe(false);
  });
});
