/** A state that goes to the serving thread in pieces arrives as it was, and only what changed is sent. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { StoreSnapshot, VersionMetadata } from '../../../registry-store/main.ts';
import {
  SnapshotAssembly,
  changeBetween,
  pieceVersionsMax,
} from '../../../registry-store/storage/snapshot-pieces.ts';

/** Enough of a version for what is tested: a name, and something that may differ. */
function version(model: string, name: string, description: string): VersionMetadata {
  return {
    name: model,
    version: name,
    description,
    metrics: new Map([['a', 1]]),
  } as unknown as VersionMetadata;
}

type Sketch = Readonly<Record<string, readonly (readonly [string, string])[]>>;

function snapshotOf(sketch: Sketch, revision = 1): StoreSnapshot {
  const models = new Map(
    Object.entries(sketch).map(([model, versions]) => [
      model,
      new Map(versions.map(([name, text]) => [name, version(model, name, text)])),
    ]),
  );
  const deployments = new Map(
    Object.entries(sketch).flatMap(([model, versions]) => {
      const [first] = versions;
      return first === undefined
        ? []
        : [[model, { model, version: first[0], sha256: first[1], strategy: 'all' as const }] as const];
    }),
  );
  const changed = { at: '', by: '', why: '' };
  const history = { events: revision, segments: 1 };
  return {
    revision,
    models,
    deployments,
    manifest: { revision, changed, deployments, stages: new Map(), history },
  };
}

const sketches: fc.Arbitrary<Sketch> = fc.dictionary(
  fc.constantFrom('a', 'b', 'c', 'd'),
  fc.uniqueArray(fc.tuple(fc.constantFrom('1', '2', '3', '4', '5'), fc.constantFrom('x', 'y')), {
    selector: ([name]) => name,
    minLength: 1,
  }),
);

describe('a series of states', () => {
  test('arrives as it was, whatever changed', () => {
    fc.assert(
      fc.property(fc.array(sketches, { minLength: 1, maxLength: 6 }), (series) => {
        const assembly = new SnapshotAssembly();
        let before: StoreSnapshot | undefined;
        for (const [index, sketch] of series.entries()) {
          const next = snapshotOf(sketch, index + 1);
          // Through the same kind of copy that a message makes.
          const { pieces, end } = structuredClone(changeBetween(before, next));
          for (const piece of pieces) assembly.add(piece);
          const { snapshot: arrived } = assembly.end(end);
          expect(arrived).toEqual(next);
          for (const [model, versions] of next.models) {
            expect([...(arrived.models.get(model)?.keys() ?? [])]).toEqual([...versions.keys()]);
          }
          before = next;
        }
      }),
    );
  });

  test('names exactly the models that changed, and keeps the others as they are', () => {
    const assembly = new SnapshotAssembly();
    const first = snapshotOf({ a: [['1', 'x']], b: [['1', 'x']], c: [['1', 'x']] });
    const whole = changeBetween(undefined, first);
    for (const piece of whole.pieces) assembly.add(piece);
    const before = assembly.end(whole.end).snapshot;
    const next = snapshotOf(
      {
        a: [['1', 'x']],
        b: [
          ['1', 'x'],
          ['2', 'y'],
        ],
      },
      2,
    );
    const { pieces, end } = changeBetween(first, next);
    expect([...end.changedModels].sort()).toEqual(['b', 'c']);
    expect(pieces.flat().flatMap(({ put }) => put.map(({ version: name }) => name))).toEqual(['2']);
    for (const piece of pieces) assembly.add(piece);
    expect(assembly.end(end).snapshot.models.get('a')).toBe(before.models.get('a'));
  });

  test('of a restarted thread replaces everything, and says what is other than before', () => {
    const assembly = new SnapshotAssembly();
    const sketches = [
      { a: [['1', 'x']], b: [['1', 'x']], c: [['1', 'x']] },
      { a: [['1', 'x']], b: [['1', 'y']], d: [['1', 'x']] },
    ] as const;
    const [first, second] = sketches.map((sketch) => {
      const { pieces, end } = structuredClone(changeBetween(undefined, snapshotOf(sketch)));
      for (const piece of pieces) assembly.add(piece);
      const arrived = assembly.end(end);
      expect(arrived.snapshot).toEqual(snapshotOf(sketch));
      return arrived;
    });
    expect([...(first?.changedModels ?? [])].sort()).toEqual(['a', 'b', 'c']);
    expect([...(second?.changedModels ?? [])].sort()).toEqual(['b', 'c', 'd']);
    const version = (arrived: typeof first, model: string): unknown =>
      arrived?.snapshot.models.get(model)?.get('1');
    expect(version(second, 'a')).toBe(version(first, 'a'));
  });
});

test('no piece is larger than it may be, for many small models and for one large one', () => {
  const many = Object.fromEntries(
    Array.from({ length: 500 }, (_, index) => [`m${index}`, [['1', 'x']] as const]),
  );
  const large = { big: Array.from({ length: 500 }, (_, index) => [`v${index}`, 'x'] as const) };
  for (const sketch of [many, large]) {
    const { pieces, end } = changeBetween(undefined, snapshotOf(sketch));
    for (const piece of pieces) {
      expect(piece.reduce((sum, { put }) => sum + put.length, 0)).toBeLessThanOrEqual(pieceVersionsMax);
    }
    const assembly = new SnapshotAssembly();
    for (const piece of pieces) assembly.add(piece);
    expect(assembly.end(end).snapshot).toEqual(snapshotOf(sketch));
  }
});
