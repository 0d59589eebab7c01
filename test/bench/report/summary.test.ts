/** The report for people, from a result made by hand. */
import { expect, it } from 'vitest';
import { planRound } from '../../../bench/plan.ts';
import { summarize } from '../../../bench/report/summary.ts';
import { resultOf } from './result-example.ts';

const peers = ['bare-uws', 'gateway', 'fastify-ort'] as const;

it('shows every peer with its spread, its ratios and the targets, and names what was not measured', () => {
  const { series } = planRound({ wrkInstalled: true, quick: false, only: ['json-256-wrk'] });
  const runs = [0, 1].flatMap((round) =>
    peers.map((peer) => ({ series: 'json-256-wrk', peer, round, answers: 2000 * (round + 1), p50Us: 250 })),
  );
  expect(summarize(resultOf(2, runs), series).split('\n')).toEqual([
    'JSON over HTTP, one row a request; median of 2 rounds (lowest-highest)',
    'load from  in flight  peer                           answers/s  p50 us  p99 us  failed',
    'wrk        256        bare uWebSockets.js  1,500 (1,000-2,000)     250     500       0',
    'wrk        256        gateway              1,500 (1,000-2,000)     250     500       0',
    'wrk        256        Fastify + ort-web    1,500 (1,000-2,000)     250     500       0',
    '',
    'Gateway over peer, answers/s, same generator and same round',
    'series        gateway over         ratio',
    'json-256-wrk  bare uWebSockets.js   1.00',
    'json-256-wrk  Fastify + ort-web     1.00',
    '',
    'Targets',
    'met     JSON throughput, 256 connections (wrk): at least 0.55 of bare uWebSockets.js with a fixed answer: 1.00, 2 of 2 rounds',
    'missed  JSON throughput, 256 connections (wrk): at least 5 times Fastify + onnxruntime-web: 1.00, 0 of 2 rounds',
    'open    Median latency, one request at a time: at most 2 times (bare uWebSockets.js + bare session.run): not measured',
  ]);
});

it('says so when answers were wrong', () => {
  const { series } = planRound({ wrkInstalled: true, quick: false, only: ['stream-4'] });
  const runs = [
    { series: 'stream-4x64', peer: 'bare-uws', round: 0 },
    { series: 'stream-4x64', peer: 'gateway', round: 0, failures: 3 },
  ] as const;
  const text = summarize(resultOf(1, runs), series);
  expect(text).toMatch(/gateway .* 3$/m);
  expect(text).toContain('1 runs had answers that were wrong or missing');
  expect(text).not.toContain('Gateway over peer');
});

it('shows the bare loop in rows and runs', () => {
  const text = summarize(resultOf(2, [], [50, 100]), []);
  expect(text).toMatch(/^ *1 {2}15,000 \(10,000-20,000\) +15,000 \(10,000-20,000\) +75\.0 \(50\.0-100\)/m);
});
