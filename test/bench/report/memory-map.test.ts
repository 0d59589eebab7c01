/** What a process' mappings are taken for, and that every resident byte of them is in one of the groups. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readMemoryMap, residentBytes } from '../../../bench/report/memory-map.ts';

const mapping = (range: string, permissions: string, residentKib: number, name = ''): string =>
  `${range} ${permissions} 00000000 00:00 0 ${name}\nSize: 1 kB\nRss:           ${residentKib} kB\nPss: 0 kB\nVmFlags: rd wr\n`;

describe('the memory map of a process', () => {
  it.each([
    ['files', 'the text of a file', mapping('00400000-00500000', 'r-xp', 100, '/usr/bin/node')],
    ['malloc', 'the heap', mapping('02000000-03000000', 'rw-p', 100, '[heap]')],
    [
      'malloc',
      'an arena of the C library, with what is reserved behind it',
      mapping('7f0010000000-7f0010400000', 'rw-p', 100) + mapping('7f0010400000-7f0014000000', '---p', 0),
    ],
    ['jsHeaps', 'a page of a JavaScript heap', mapping('2f5640000-2f5680000', 'rw-p', 100)],
    [
      'wasmMemories',
      'the begin of a reservation of gigabytes',
      mapping('7f1000000000-7f1001000000', 'rw-p', 100) + mapping('7f1001000000-7f1200000000', '---p', 0),
    ],
    ['code', 'what can be run and is no file', mapping('7f2000000000-7f2000040000', 'r-xp', 100)],
    ['stacks', 'the stack', mapping('7ffe00000000-7ffe00100000', 'rw-p', 100, '[stack]')],
    ['other', 'anything else', mapping('7f3000001000-7f3000003000', 'rw-p', 100)],
  ] as const)('counts as %s %s', (kind, _what, smaps) => {
    const map = readMemoryMap(smaps);
    expect(map[kind]).toBe(100 * 1024);
    expect(residentBytes(map)).toBe(100 * 1024);
  });

  it.skipIf(!existsSync('/proc/self/smaps'))('has every resident byte of this process once', () => {
    const smaps = readFileSync('/proc/self/smaps', 'utf8');
    const kib = [...smaps.matchAll(/^Rss: +(\d+) kB$/gm)].reduce((sum, [, each]) => sum + Number(each), 0);
    const map = readMemoryMap(smaps);
    expect(residentBytes(map)).toBe(kib * 1024);
    // Node runs here: it has a heap, code, and a file it came from.
    expect(Math.min(map.jsHeaps, map.code, map.files, map.malloc)).toBeGreaterThan(0);
  });
});
