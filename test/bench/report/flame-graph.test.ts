/** A profile made by hand becomes the calls it holds, their owners, and a drawing. */
import { describe, expect, test } from 'vitest';
import {
  callTree,
  type CpuProfile,
  flameGraph,
  type Frame,
  timeByOwner,
} from '../../../bench/report/flame-graph.ts';

const node = (id: number, functionName: string, url: string, children: readonly number[] = []) => ({
  id,
  callFrame: { functionName, url, lineNumber: 0 },
  children,
});

/** The loop calls `#send`, which calls the library; or it waits. */
const profile: CpuProfile = {
  startTime: 1000,
  nodes: [
    node(1, '(root)', '', [2, 5, 6]),
    node(2, '#send', 'file:///x/gateway/socket/http-exchange.js', [3, 4]),
    node(3, 'write<T>', 'file:///x/gateway/wire/byte-writer.js'),
    node(4, 'wasm-function[12]', 'wasm://wasm/03652266'),
    node(5, '(idle)', ''),
    node(6, '(garbage collector)', ''),
  ],
  samples: [2, 3, 3, 4, 5, 6, 2],
  timeDeltas: [100, 200, 300, 400, 5000, 50, 10_000],
};
const all = { fromUs: 0, toUs: 1e9 };

const calleesOf = (frame: Frame | undefined): readonly (readonly [string, number, number])[] =>
  [...(frame?.callees.values() ?? [])].map(({ name, us, selfUs }) => [name, us, selfUs]);

describe('the calls of a profile', () => {
  test('time is that of a function and of what it called; waiting is none', () => {
    const tree = callTree(profile, all);
    expect(tree.us).toBe(100 + 200 + 300 + 400 + 50 + 10_000);
    expect(calleesOf(tree)).toEqual([
      ['#send socket/http-exchange.js', 11_000, 10_100],
      ['(garbage collector)', 50, 50],
    ]);
    expect(calleesOf(tree.callees.get('#send socket/http-exchange.js'))).toEqual([
      ['write<T> wire/byte-writer.js', 500, 500],
      ['WebAssembly', 400, 400],
    ]);
  });

  test('only samples within the window count', () => {
    expect(callTree(profile, { fromUs: 1150, toUs: 1700 }).us).toBe(500);
    expect(callTree(profile, { fromUs: 0, toUs: 999 }).us).toBe(0);
  });

  test('each owner has the time of its own functions', () => {
    expect(timeByOwner(callTree(profile, all))).toEqual([
      ['socket', 10_100],
      ['wire', 500],
      ['onnxruntime', 400],
      ['collector', 50],
      ['node', 0],
    ]);
  });
});

test('the drawing says each function with its time a request, in names that are safe in XML', () => {
  const drawn = flameGraph(callTree(profile, all), { title: 'iris & more', requests: 100 });
  expect(drawn).toContain('iris &amp; more');
  expect(drawn).toContain('<title>write&lt;T&gt; wire/byte-writer.js: 5.00 us a request, 4.5 %</title>');
  const wide = [...drawn.matchAll(/<\/title><rect x="([\d.]+)" y="(-?\d+)" width="([\d.]+)"/g)];
  expect(wide.map(([, x, y, width]) => [Number(x), Number(y), Number(width)])).toEqual([
    [0, 0, 1200],
    [0, -16, 1194.6],
    [0, -32, 43.4],
    [43.4, -32, 54.3],
    [1194.6, -16, 5.4],
  ]);
});
