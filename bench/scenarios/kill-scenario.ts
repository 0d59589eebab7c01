/**
 * Threads of a gateway that are ended at random, running, starting or loading, while callers over HTTP and WebSocket keep
 * asking: every request has a number that its answer must repeat. It is not about speed: what counts is that each is answered
 * once, with its own number or with the code for a request whose thread was lost twice, and that all is as before at the end.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../../deploy/demo/seeded-random.ts';
import type { Child } from '../children.ts';
import { numberField } from '../json-field.ts';
import { AnswerLedger } from '../load/answer-ledger.ts';
import { localTarget } from '../load/local-target.ts';
import { callOverHttp, callOverStream, type NumberedCaller } from '../load/numbered-callers.ts';
import { gatewayReady, launchGateway } from '../peers/gateway.ts';
import { numberedModel, numberedWidth } from './bench-models.ts';
import { type Field, peerNames } from './field.ts';
import type { Scenario, ScenarioContext, ScenarioRow } from './scenario.ts';
import { until } from './store-changes.ts';

const modelName = 'numbered';
/** A request whose thread is lost is run again once; this is what one hears that loses two. */
const declaredCode = 'WORKER_LOST';
const httpCallers = 8;
const streamCallers = 2;
const streamInflight = 16;
/** A thread is ended so long after the last one at most, once there is one and work went on, milliseconds. */
const pauseMsMax = 500;
/** Answers that come between two kills; else threads would be ended while they start, one after the other. */
const answersBetween = 20;
/** Part of the kills that come whatever was answered: those hit threads that start or load. */
const restlessPart = 0.25;
/** Answers that must come after the last kill before it is believed that work goes on. */
const answersAfter = 100;

export const kills: Scenario = {
  name: 'kills',
  title: 'Threads ended at random under load: is every request answered once',
  headline: ['failed', 'lost_twice', 'answered'],
  isLong: true,
  run: async (context) => {
    const { field } = context;
    const threads = context.isQuick ? 2 : 4;
    const gateway = await launchGateway(
      field.children,
      field.folder,
      // A version that costs threads would be in quarantine soon; here it is not to blame.
      [...(await storeOf(field)), '--threads', String(threads), '--limit', 'threadLossesMax=0'],
      { options: ['--import', new URL('../peers/mortal-threads.js', import.meta.url).href] },
    );
    try {
      await gatewayReady(gateway);
      return [await campaign(context, { ...gateway, threads })];
    } finally {
      await gateway.child.stop();
    }
  },
};

async function campaign(
  context: ScenarioContext,
  { child, port, threads }: { readonly child: Child; readonly port: number; readonly threads: number },
): Promise<ScenarioRow> {
  const { kills: wanted, seed, round, progress } = context;
  progress(`kills: ${wanted} of ${threads} threads, seed ${seed}`);
  const ledger = new AnswerLedger([declaredCode]);
  const callers = await startCallers(port, ledger);
  const startMs = performance.now();
  await killThreads(child, { ...context, ledger, seed: seed + round });
  const before = ledger.answered;
  await until(() => Promise.resolve(ledger.answered >= before + answersAfter), 'Work after the last kill');
  for (const caller of callers) caller.stop();
  // Not `until`: what is never answered is a result.
  for (let waitedMs = 0; ledger.open > 0 && waitedMs < 60_000; waitedMs += 20) await sleep(20);
  await until(async () => (await metric(port, 'tidegate_threads{state="idle"}')) === threads, 'Every thread');
  const left = await metric(port, 'tidegate_inflight_requests');
  if (left !== 0) ledger.surprise(`the gateway still holds ${left} requests`);
  for (const caller of callers) caller.close();
  const numbers = {
    failed: ledger.wrong + ledger.open,
    asked: ledger.asked,
    answered: ledger.answered,
    lost_twice: ledger.refusals.get(declaredCode) ?? 0,
    never_answered: ledger.open,
    wrong: ledger.wrong,
    kills: wanted,
    threads_replaced: await metric(port, 'tidegate_threads_replaced_total{cause="ended"}'),
    batches_retried: await metric(
      port,
      `tidegate_batches_retried_total{model="${modelName}",version="1.0.0"}`,
    ),
    seconds: (performance.now() - startMs) / 1000,
  };
  return { load: `seed ${seed + round}`, peer: peerNames.gateway, numbers, problems: ledger.problems };
}

function storeOf(field: Field): Promise<readonly string[]> {
  const file = join(field.folder, `${modelName}.onnx`);
  writeFileSync(file, numberedModel());
  return field.storeOf({ name: modelName, version: '1.0.0', file });
}

async function startCallers(port: number, ledger: AnswerLedger): Promise<readonly NumberedCaller[]> {
  const target = localTarget(port);
  const load = { target, model: modelName, input: 'x', width: numberedWidth, output: 'number', ledger };
  const overStream = Array.from({ length: streamCallers }, () => callOverStream(load, streamInflight));
  return [
    ...Array.from({ length: httpCallers }, () => callOverHttp(load)),
    ...(await Promise.all(overStream)),
  ];
}

async function killThreads(
  gateway: Child,
  {
    kills: wanted,
    seed,
    progress,
    ledger,
  }: Pick<ScenarioContext, 'kills' | 'seed' | 'progress'> & { readonly ledger: AnswerLedger },
): Promise<void> {
  const random = seededRandom(seed);
  for (let kill = 1; kill <= wanted; kill += 1) {
    const due = ledger.answered + (random.next() < restlessPart ? 0 : answersBetween);
    await until(() => Promise.resolve(ledger.answered >= due), 'Work between two kills');
    await sleep(random.next() * pauseMsMax);
    // Until a lost thread is started again there may be none.
    const chosen = random.next();
    await until(async () => numberField(await gateway.ask({ kill: chosen }), 'alive') > 0, 'A thread to end');
    if (kill % 20 === 0) progress(`kills: ${kill} threads ended, ${ledger.answered} requests answered`);
  }
}

async function metric(port: number, line: string): Promise<number> {
  const page = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const found = page.split('\n').find((each) => each.startsWith(`${line} `));
  return found === undefined ? NaN : Number(found.slice(line.length + 1));
}
