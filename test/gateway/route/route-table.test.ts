/**
 * Which version answers a name, and what a client is told when none does. Targets are plain strings: the table never
 * looks inside.
 */
import { describe, expect, it } from 'vitest';
import { type ModelRoutes, RouteTable } from '../../../gateway/route/route-table.ts';

function routes(live: string, versions: readonly string[] = [live]): ModelRoutes<string> {
  return { live, versions: new Map(versions.map((version) => [version.replace(/^.*:/, ''), version])) };
}

const table = new RouteTable(
  new Map([
    ['iris', routes('iris:2', ['iris:1', 'iris:2', 'iris:1.0-rc'])],
    ['mnist', routes('mnist:7')],
    ['both', routes('both:1')],
  ]),
  new Map([
    ['resnet', 'the file is still being fetched from /srv/models'],
    ['both', 'the next version is not loaded yet'],
  ]),
);

const empty = new RouteTable<string>(new Map(), new Map());

describe('RouteTable', () => {
  it.each([
    { model: 'iris', version: undefined, target: 'iris:2', why: 'no version is the live one' },
    { model: 'iris', version: '', target: 'iris:2', why: 'an empty version is the live one' },
    { model: 'iris', version: '1', target: 'iris:1', why: 'a version that is not live can be named' },
    { model: 'iris', version: '2', target: 'iris:2', why: 'the live version can be named too' },
    { model: 'iris', version: '1.0-rc', target: 'iris:1.0-rc', why: 'a version need not be a number' },
    { model: 'mnist', version: undefined, target: 'mnist:7', why: 'each model has its own live version' },
    {
      model: 'both',
      version: undefined,
      target: 'both:1',
      why: 'what is loaded serves while more is awaited',
    },
  ])('resolves $model/$version to $target: $why', ({ model, version, target }) => {
    expect(table.resolve(model, version)).toEqual({ ok: true, value: target });
  });

  it.each([
    {
      model: 'iris',
      version: '3',
      code: 'UNKNOWN_VERSION',
      says: ["'iris'", "'3'", 'Loaded: 1, 2, 1.0-rc.'],
    },
    { model: 'iris', version: ' 2', code: 'UNKNOWN_VERSION', says: ["' 2'"] },
    { model: 'mnist', version: '02', code: 'UNKNOWN_VERSION', says: ['Loaded: 7.'] },
    { model: 'resnet', version: undefined, code: 'MODEL_NOT_READY', says: ["'resnet'", 'Try again'] },
    { model: 'resnet', version: '1', code: 'MODEL_NOT_READY', says: ["'resnet'"] },
    { model: 'Iris', version: undefined, code: 'UNKNOWN_MODEL', says: ["'Iris'", 'both, iris, mnist'] },
    { model: 'toString', version: undefined, code: 'UNKNOWN_MODEL', says: ["'toString'"] },
    { model: 'iris', version: 'toString', code: 'UNKNOWN_VERSION', says: ["'toString'"] },
  ])('answers $code to $model/$version and says what there is', ({ model, version, code, says }) => {
    const answer = table.resolve(model, version);
    expect(answer).toMatchObject({ ok: false, code });
    for (const part of says)
      expect(answer).toMatchObject({ message: expect.stringContaining(part) as string });
  });

  it('keeps the reason why a model is not ready from clients', () => {
    expect(JSON.stringify(table.resolve('resnet', undefined))).not.toContain('/srv');
    expect(table.notReady.get('resnet')).toContain('/srv');
  });

  it('says so when nothing is deployed', () => {
    expect(empty.resolve('iris', undefined)).toMatchObject({
      code: 'UNKNOWN_MODEL',
      message: "Request for unknown model: 'iris' is not found. No model is deployed.",
    });
  });

  it.each([
    { count: 10, ends: 'm08, m09.' },
    { count: 11, ends: 'm08, m09 and 1 more.' },
    { count: 60, ends: 'm08, m09 and 50 more.' },
  ])('names ten of $count models or versions at most', ({ count, ends }) => {
    const names = Array.from({ length: count }, (_, index) => `m${String(index).padStart(2, '0')}`);
    const many = new RouteTable(new Map(names.map((name) => [name, routes(name, names)])), new Map());
    for (const answer of [many.resolve('other', undefined), many.resolve('m00', 'other')]) {
      expect(answer).toMatchObject({ message: expect.stringContaining(ends) as string });
    }
  });

  it('is not changed by a later table: whoever holds it goes on with what it saw', () => {
    const before = new RouteTable(new Map([['iris', routes('iris:1')]]), new Map());
    const after = new RouteTable(new Map([...before.models, ['iris', routes('iris:2')]]), before.notReady);
    expect([before, after].map((each) => each.resolve('iris', undefined))).toEqual([
      { ok: true, value: 'iris:1' },
      { ok: true, value: 'iris:2' },
    ]);
  });
});
