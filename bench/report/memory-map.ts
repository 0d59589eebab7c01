/**
 * What the resident memory of a process consists of, read from Linux' account of its mappings (`/proc/<pid>/smaps`). Anonymous
 * mappings have no names; what they are is told from how they lie: V8's heap pages are 256 KiB apart, an arena of the C library
 * is the begin of a reservation of 64 MiB, a WebAssembly memory that of one of gigabytes. Pure.
 */

/** Bytes that are resident, by what holds them. */
export interface MemoryMap {
  /** Pages of files: the node binary, libraries. The system drops and reads them again as it likes; processes share them. */
  readonly files: number;
  /** The C library's heap and its arenas: C++ of Node and V8, compilers, buffers. */
  readonly malloc: number;
  /** JavaScript heaps of all threads. */
  readonly jsHeaps: number;
  readonly wasmMemories: number;
  /** Machine code that V8 made, of JavaScript and WebAssembly. */
  readonly code: number;
  readonly stacks: number;
  /** What is none of these: large objects and array buffers, mostly. */
  readonly other: number;
}

interface Mapping {
  readonly start: number;
  readonly end: number;
  readonly permissions: string;
  readonly name: string;
  residentBytes: number;
}

const kib = 1024;
const mib = 1024 * kib;
const jsPageBytes = 256 * kib;
const mallocArenaBytes = 64 * mib;
/** V8 reserves the whole address range of a memory, and guards around it. */
const wasmReservationBytesMin = 1024 * mib;

export function readMemoryMap(smaps: string): MemoryMap {
  const mappings = parse(smaps);
  const sums = { files: 0, malloc: 0, jsHeaps: 0, wasmMemories: 0, code: 0, stacks: 0, other: 0 };
  for (const [at, mapping] of mappings.entries())
    sums[kindOf(mapping, reservedWith(mappings, at))] += mapping.residentBytes;
  return sums;
}

export function residentBytes(map: MemoryMap): number {
  return Object.values<number>({ ...map }).reduce((sum, bytes) => sum + bytes, 0);
}

function parse(smaps: string): Mapping[] {
  const mappings: Mapping[] = [];
  for (const line of smaps.split('\n')) {
    const head = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \d+ *(.*)$/.exec(line);
    if (head !== null) {
      const [, start = '', end = '', permissions = '', name = ''] = head;
      const [from, to] = [parseInt(start, 16), parseInt(end, 16)];
      mappings.push({ start: from, end: to, permissions, name, residentBytes: 0 });
      continue;
    }
    const resident = /^Rss: +(\d+) kB$/.exec(line)?.[1];
    const last = mappings.at(-1);
    if (resident !== undefined && last !== undefined) last.residentBytes = Number(resident) * kib;
  }
  return mappings;
}

/** The range that was reserved together with a mapping: itself and what is reserved and not used right behind it. */
function reservedWith(
  mappings: readonly Mapping[],
  at: number,
): { readonly start: number; readonly bytes: number } {
  const { start, end } = mappings[at] ?? { start: 0, end: 0 };
  const next = mappings[at + 1];
  const isReserved = next?.start === end && next.permissions.startsWith('---') && next.name === '';
  return { start, bytes: (isReserved ? next.end : end) - start };
}

function kindOf(
  { name, permissions, start, end }: Mapping,
  reserved: { readonly start: number; readonly bytes: number },
): keyof MemoryMap {
  if (name === '[heap]') return 'malloc';
  if (name.startsWith('[stack')) return 'stacks';
  if (name.startsWith('/') && !name.startsWith('/dev/zero') && !name.startsWith('/memfd:')) return 'files';
  if (permissions[2] === 'x') return 'code';
  if (name === '' && permissions.startsWith('rw')) {
    if (reserved.bytes >= wasmReservationBytesMin) return 'wasmMemories';
    if (reserved.bytes === mallocArenaBytes && start % mallocArenaBytes === 0) return 'malloc';
    if (start % jsPageBytes === 0 && (end - start) % jsPageBytes === 0 && end - start <= mallocArenaBytes)
      return 'jsHeaps';
  }
  return 'other';
}
