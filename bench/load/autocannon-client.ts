/**
 * A child of the suite: one autocannon run, its report as one line of JSON. autocannon rounds latencies to whole
 * milliseconds in its own summary, so the samples are taken from its events; the warm-up is left out of them.
 */
import autocannon from 'autocannon';
import { parseHttpLoad } from './http-load.ts';
import { LatencyHistogram } from '../../cli/bench/load/latency-histogram.ts';
import type { LoadReport } from './load-report.ts';

const load = parseHttpLoad(process.argv[2]);
const latency = new LatencyHistogram();
let failures = 0;
let measuring = false;

const instance = autocannon(
  {
    url: load.url,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: load.body,
    connections: load.connections,
    // Ended by hand below; this is only the upper bound.
    duration: load.warmUpSeconds + load.seconds + 10,
    // Milliseconds after which autocannon sees that it was stopped.
    sampleInt: 50,
    skipAggregateResult: true,
  },
  () => undefined,
);
instance.on('response', (_client, status, _bytes, milliseconds) => {
  if (!measuring) return;
  if (status >= 200 && status <= 299) latency.record(milliseconds * 1000);
  else failures++;
});
instance.on('reqError', () => {
  failures++;
});

setTimeout(() => {
  measuring = true;
  const startMs = performance.now();
  setTimeout(() => {
    measuring = false;
    const seconds = (performance.now() - startMs) / 1000;
    instance.stop();
    const report: LoadReport = { answers: latency.count, failures, seconds, ...latency.summary() };
    console.log(JSON.stringify(report));
  }, load.seconds * 1000);
}, load.warmUpSeconds * 1000);
