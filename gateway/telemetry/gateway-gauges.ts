/** What is true of the gateway as a whole at the moment somebody looks: queue, memory, threads, store. */
import type { MetricsPage, Sample } from './metrics-page.ts';
import { type NamedVersion, samplesByVersion } from './version-samples.ts';

/** The parts of the gateway that the gauges read; each is what its owner offers anyway. */
export interface GaugeSources {
  readonly pool: {
    readonly engine: { readonly name: string; readonly intraOpThreads: number };
    readonly lanes: readonly { readonly state: string; readonly index: number; readonly heapBytes: number }[];
    /** The thread that waits for the next load. */
    readonly spare: { readonly kept: { readonly heapBytes: number } | undefined };
    readonly threadChanges: ReadonlyMap<string, number>;
    readonly pages: { readonly bytesTaken: number; readonly bytesTotal: number };
  };
  readonly dispatcher: {
    readonly queuedRows: number;
    readonly inflightRequests: number;
    readonly waiting: Iterable<{
      readonly generation: NamedVersion;
      readonly requests: number;
    }>;
  };
  readonly sequences: { readonly open: number; readonly bytes: number };
  readonly server: { readonly openExchanges: number };
  readonly store: { readonly current: { readonly revision: number } };
  readonly ready: () => boolean;
}

export function addGatewayGauges(page: MetricsPage, sources: GaugeSources): void {
  const { pool, dispatcher, sequences, server, store } = sources;
  const single = (name: string, help: string, read: () => number): void => {
    page.gauge({ name, help, read: () => [{ labels: {}, value: read() }] });
  };
  page.gauge({
    name: 'tidegate_ready',
    help: '1 while the gateway takes requests and serves every deployment.',
    read: () => [{ labels: {}, value: Number(sources.ready()) }],
    acrossProcesses: 'min',
  });
  single('tidegate_queue_rows', 'Rows that wait for a thread.', () => dispatcher.queuedRows);
  single(
    'tidegate_inflight_requests',
    'Requests accepted and not yet answered.',
    () => dispatcher.inflightRequests,
  );
  single('tidegate_sequences', 'Sequences of models with state that are open.', () => sequences.open);
  single(
    'tidegate_sequence_bytes',
    'What open sequences hold: states, and inputs of calls that wait for their turn.',
    () => sequences.bytes,
  );
  single(
    'tidegate_open_exchanges',
    'HTTP requests whose body is still coming or whose answer is not taken yet, this one included.',
    () => server.openExchanges,
  );
  single(
    'tidegate_arena_bytes',
    'Shared memory that holds waiting and running tensors.',
    () => pool.pages.bytesTaken,
  );
  single(
    'tidegate_arena_bytes_max',
    'Shared memory that may be used for tensors.',
    () => pool.pages.bytesTotal,
  );
  page.gauge({
    name: 'tidegate_store_revision',
    help: 'Revision of the deployment manifest in force.',
    read: () => [{ labels: {}, value: store.current.revision }],
    acrossProcesses: 'min',
  });
  page.gauge({
    name: 'nv_inference_pending_request_count',
    help: 'Requests that wait to be run.',
    read: () =>
      samplesByVersion(
        [...dispatcher.waiting].map(({ generation, requests }) => ({ generation, value: requests })),
      ),
  });
  page.gauge({
    name: 'tidegate_threads',
    help: 'Model threads by state.',
    read: () => threadSamples(pool.lanes),
  });
  page.gauge({
    name: 'tidegate_engine_info',
    help: 'What runs the models, wasm or native, and how many threads a run on a model thread uses, as labels.',
    read: () => [
      {
        labels: { engine: pool.engine.name, intra_op_threads: String(pool.engine.intraOpThreads) },
        value: 1,
      },
    ],
    acrossProcesses: 'max',
  });
  page.gauge({
    name: 'tidegate_thread_memory_bytes',
    help: 'WebAssembly memory of each model thread, and of the one that is kept for the next load; it grows until the thread goes. The native engine tells none.',
    read: () => (pool.engine.name === 'wasm' ? memorySamples(pool) : []),
  });
  page.counter({
    name: 'tidegate_threads_replaced_total',
    help: 'Model threads that another took the place of, by cause.',
    read: () => [...pool.threadChanges].map(([cause, value]) => ({ labels: { cause }, value })),
  });
}

function memorySamples({ lanes, spare: { kept } }: GaugeSources['pool']): Sample[] {
  const samples = lanes.map(({ index, heapBytes }) => ({
    labels: { thread: String(index) },
    value: heapBytes,
  }));
  return kept === undefined ? samples : [...samples, { labels: { thread: 'kept' }, value: kept.heapBytes }];
}

function threadSamples(lanes: readonly { readonly state: string }[]): Sample[] {
  return ['starting', 'idle', 'busy', 'lost'].map((state) => ({
    labels: { state },
    value: lanes.filter((lane) => lane.state === state).length,
  }));
}
