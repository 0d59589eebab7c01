/** What a gateway with iris takes of memory, with one thread and with more, after its start and under load, and what holds it. Linux only. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Children } from '../children.ts';
import { launchReadyGateway } from '../peers/gateway.ts';
import { type MemoryMap, readMemoryMap, residentBytes } from '../report/memory-map.ts';
import { peerNames } from './field.ts';
import { closedLoop } from './load-scenarios.ts';
import type { Scenario, ScenarioContext, ScenarioRow } from './scenario.ts';

const threadCounts = [1, 2, 3];
/** Code that became hot in the warm-up is optimised meanwhile, and what was only needed for the start is collected. */
const settleSeconds = 4;
const loadConcurrency = 64;

export const memory: Scenario = {
  name: 'memory',
  title: 'Resident memory of a gateway with iris, MiB, by what holds it',
  headline: ['resident_mib', 'added_mib', 'malloc_mib', 'js_heaps_mib', 'wasm_mib', 'code_mib', 'files_mib'],
  isLong: true,
  run: async (context) => {
    const rows: ScenarioRow[] = [];
    let fewer: readonly ScenarioRow[] = [];
    for (const threads of context.isQuick ? threadCounts.slice(0, 1) : threadCounts) {
      const seen = await memoryOf(context, threads);
      rows.push(...seen.map((row, at) => withAdded(row, fewer[at])));
      fewer = seen;
    }
    return rows;
  },
};

async function memoryOf(context: ScenarioContext, threads: number): Promise<readonly ScenarioRow[]> {
  const { field, isQuick, progress } = context;
  const children = new Children();
  try {
    progress(`memory, ${threads} threads`);
    const store = await field.irisStore();
    const options = [...store, '--threads', String(threads)];
    const { child, port } = await launchReadyGateway(children, field.folder, options);
    const settle = (): Promise<unknown> => sleep(isQuick ? 0 : settleSeconds * 1000);
    const row = (when: string, problems: readonly string[]): ScenarioRow => ({
      load: `${threads === 1 ? '1 thread' : `${threads} threads`}, ${when}`,
      peer: peerNames.gateway,
      numbers: mebibytes(readMemoryMap(readFileSync(`/proc/${child.pid}/smaps`, 'utf8'))),
      problems,
    });
    await settle();
    const rows = [row('after the start', [])];
    const { problems } = await closedLoop(context, field.model('iris'), {
      port,
      concurrency: loadConcurrency,
    });
    await settle();
    return [...rows, row('after load', problems)];
  } finally {
    await children.stopAll();
  }
}

function mebibytes(map: MemoryMap): Readonly<Record<string, number>> {
  const mib = (bytes: number): number => bytes / 2 ** 20;
  return {
    resident_mib: mib(residentBytes(map)),
    malloc_mib: mib(map.malloc),
    js_heaps_mib: mib(map.jsHeaps),
    wasm_mib: mib(map.wasmMemories),
    code_mib: mib(map.code),
    files_mib: mib(map.files),
    stacks_mib: mib(map.stacks),
    other_mib: mib(map.other),
  };
}

/** What the last thread brought; for the first one, everything. */
function withAdded(row: ScenarioRow, fewer: ScenarioRow | undefined): ScenarioRow {
  const added = (row.numbers['resident_mib'] ?? 0) - (fewer?.numbers['resident_mib'] ?? 0);
  return { ...row, numbers: { ...row.numbers, added_mib: added } };
}
