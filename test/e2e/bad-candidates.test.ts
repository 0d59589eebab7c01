/**
 * Candidates that are bad in one way each, on real models under load: the gateway takes each out of the traffic by itself,
 * and whoever is on the live version notices nothing. How many users were harmed until then is printed.
 */
import { afterEach, expect, test } from 'vitest';
import { eventually } from './deadline.ts';
import { type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { faultyRootModel, lookupModel, slowModel } from './odd-models.ts';

let under: GatewayUnderTest;
afterEach(() => under.close());

/** So many that hardly anybody comes twice before it is over. */
const users = 10_000;
const callers = 16;
const percent = 10;
/** So many requests at most: the share of a candidate that is never taken out. */
const requestsMax = 10_000;

interface Case {
  readonly what: string;
  readonly stable: Uint8Array;
  readonly candidate: Uint8Array;
  /** The inputs of the request with this number. */
  readonly inputs: (request: number) => readonly object[];
  readonly isHarmed: (answer: Answer) => boolean;
  readonly harmedMax: number;
  readonly reason: RegExp;
  readonly workerFile?: URL;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

const width = 256;
const row = [
  { name: 'x', datatype: 'FP32', shape: [1, width], data: Array.from({ length: width }, () => 1) },
];
const index = (data: number): readonly object[] => [
  { name: 'index', datatype: 'INT64', shape: [1], data: [data] },
];

const cases: readonly Case[] = [
  {
    what: 'fails for a third of the inputs',
    stable: lookupModel(100),
    candidate: lookupModel(10),
    inputs: (request) => index(request % 3 === 0 ? 42 : 3),
    isHarmed: ({ status }) => status !== 200,
    harmedMax: 60,
    // Answers overtake each other: five failures may come in a row.
    reason:
      /^the candidate (failed in \d+ of \d+ requests, the stable version in 0 of \d+; |failed 5 callers in a row)/,
  },
  {
    what: 'is five times slower',
    stable: slowModel(8, width),
    candidate: slowModel(40, width),
    inputs: () => row,
    // Whoever met it waited longer.
    isHarmed: () => true,
    // Half of its share: the more a machine interrupts runs, the longer slower ones do not stand out.
    harmedMax: 500,
    reason:
      /^the candidate took longer than [\d.]+ ms in \d+ of \d+ runs, the stable version in \d+ of \d+; /,
  },
  {
    what: 'answers with numbers that are not finite',
    stable: faultyRootModel(1),
    candidate: faultyRootModel(-1),
    inputs: () => [{ name: 'x', datatype: 'FP32', shape: [1, 1], data: [4] }],
    isHarmed: ({ text }) => !text.includes('2'),
    harmedMax: 20,
    reason: /^the candidate failed 5 callers in a row/,
  },
  {
    what: 'takes its thread down',
    stable: lookupModel(100),
    candidate: lookupModel(101),
    inputs: () => index(3),
    isHarmed: ({ status }) => status !== 200,
    harmedMax: 60,
    // Each request costs two threads, so that the pool may be faster than the judge.
    reason:
      /^the candidate (failed \d callers in a row, with [3-5] of them took its thread down, and answered none|was quarantined, threads it cost: \d)/,
    workerFile: new URL('dying-worker.mjs', import.meta.url),
  },
];

async function start({ stable, candidate, workerFile }: Case): Promise<void> {
  under = await startTestGateway({
    models: [{ name: 'm', version: '1.0.0', file: stable }],
    threads: 2,
    inlineRunUsMax: 0,
    ...(workerFile !== undefined && { workerFile }),
  });
  const { store, log } = under;
  store.publish('m', '2.0.0', candidate);
  const sha256 = store.current.models.get('m')?.get('2.0.0')?.artifact.sha256 ?? '';
  store.deploy('m', '1.0.0', {
    strategy: 'canary',
    candidate: { version: '2.0.0', sha256 },
    trafficBps: percent * 100,
  });
  await eventually(() => log.some(({ msg }) => msg === 'traffic divided'), 'the candidate to get its share');
}

async function ask(
  user: number,
  inputs: readonly object[],
): Promise<Answer & { readonly variant: string | null }> {
  const response = await fetch(`${under.url}/v2/models/m/infer`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-user-id': `user-${user}` },
    body: JSON.stringify({ inputs }),
  });
  const body = (await response.json()) as { readonly outputs?: readonly { readonly data: unknown }[] };
  const text = JSON.stringify(body.outputs?.map(({ data }) => data) ?? body);
  return { status: response.status, text, variant: response.headers.get('x-variant') };
}

test.each(cases)(
  'a candidate that $what is taken out',
  async (bad) => {
    await start(bad);
    const out = (): string | undefined =>
      under.log.find(({ msg }) => msg === 'candidate taken out of the traffic')?.['reason'] as
        string | undefined;
    const harmed = new Set<number>();
    const met = new Set<number>();
    const wronged: unknown[] = [];
    let next = 0;
    const call = async (): Promise<void> => {
      while (out() === undefined && next < requestsMax) {
        const request = next;
        next += 1;
        const user = (request * 7919) % users;
        const answer = await ask(user, bad.inputs(request));
        if (answer.variant === 'canary') {
          met.add(user);
          if (bad.isHarmed(answer)) harmed.add(user);
        } else if (answer.status !== 200) wronged.push(answer);
      }
    };
    await Promise.all(Array.from({ length: callers }, call));
    expect(out()).toMatch(bad.reason);
    expect(wronged).toEqual([]);
    expect(harmed.size).toBeGreaterThan(0);
    expect(harmed.size).toBeLessThanOrEqual(bad.harmedMax);
    console.log(`${bad.what}: ${harmed.size} users harmed of ${met.size} who met it, after ${next} requests`);
    // From now on nobody meets it.
    for (let user = 0; user < 100; user += 1) {
      expect(await ask(user, bad.inputs(user))).toMatchObject({ status: 200, variant: null });
    }
  },
  240_000,
);
