/**
 * From the start of a process to its first right answer: the gateway over a store with iris alone that it has opened before,
 * ten lines of onnxruntime-web, and servers that know no store. The ratio is that of one round.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { HttpClient } from '../../client/http-client.ts';
import { tensor } from '../../client/tensor/tensor.ts';
import { type DemoModel, demoModels } from '../../deploy/demo/demo-models.ts';
import { Children, nodeCommand } from '../children.ts';
import { numberField } from '../json-field.ts';
import { rotated } from '../plan.ts';
import { requireLabel } from '../workload.ts';
import { launchGateway } from '../peers/gateway.ts';
import { type Field, type PeerKind, peerKinds, peerNames } from './field.ts';
import type { Scenario, ScenarioContext, ScenarioRow } from './scenario.ts';

interface Starting {
  readonly peer: string;
  /** Resolves when it has given the right answer once. */
  readonly begin: (children: Children) => Promise<void>;
}

const scriptName = 'ten lines of onnxruntime-web';

/** Between two tries, milliseconds: the error of what is measured, and little work beside a start. */
const askEveryMs = 5;
const startMsMax = 60_000;

export const start: Scenario = {
  name: 'start',
  title: `Start: from the start of the process to its first right answer, iris; ratio over ${scriptName}`,
  headline: ['start_ms', 'over_script'],
  run: async (context) => {
    const { field, round, progress } = context;
    const gateway = await gatewayStart(context);
    // The first start of all finds a state folder without anything in it.
    if (round === 0) await timed(gateway);
    const others = peerKinds
      // The bare server has no model to load.
      .filter((kind) => kind !== 'bare-uws' && field.has(kind))
      .map((kind): Starting => ({
        peer: peerNames[kind],
        begin: (children) => peerStart(field, kind, children),
      }));
    const tookMs = new Map<string, number>();
    for (const starting of rotated([gateway, scriptStart, ...others], round)) {
      progress(`start, ${starting.peer}`);
      tookMs.set(starting.peer, await timed(starting));
    }
    const scriptMs = tookMs.get(scriptName) ?? NaN;
    return Array.from(tookMs, ([peer, ms]): ScenarioRow => {
      return { load: 'iris', peer, numbers: { start_ms: ms, over_script: ms / scriptMs }, problems: [] };
    });
  },
};

/** Milliseconds. What was started is gone when the next one starts. */
async function timed({ begin }: Starting): Promise<number> {
  const children = new Children();
  try {
    const startMs = performance.now();
    await begin(children);
    return performance.now() - startMs;
  } finally {
    await children.stopAll();
  }
}

async function gatewayStart({ field }: ScenarioContext): Promise<Starting> {
  const options = await field.irisStore();
  return {
    peer: peerNames.gateway,
    begin: async (children) => {
      const { child, port } = await launchGateway(children, field.folder, options);
      // Asking again and again would take processor time from what is measured, and the script is not asked either.
      await child.firstLine();
      await firstAnswer(port);
    },
  };
}

async function peerStart(field: Field, kind: PeerKind, children: Children): Promise<void> {
  const port = await field.startPeer(kind, children);
  if (port === undefined) throw new Error(`${peerNames[kind]} is not here.`);
  await firstAnswer(port);
}

const scriptStart: Starting = {
  peer: scriptName,
  begin: async (children) => {
    const { file, sample } = iris();
    const args = [file, sample.input, JSON.stringify(sample.values)];
    const command = nodeCommand('ort-script', new URL('../peers/ort-script.js', import.meta.url), { args });
    const label = numberField(JSON.parse(await children.start(command).firstLine()), 'label');
    if (label !== sample.label) throw new Error(`The script says ${label}, not ${sample.label}.`);
  },
};

/** Throws for a wrong answer: whoever is fast and wrong has not started. No answer yet is none. */
async function firstAnswer(port: number): Promise<void> {
  const { sample } = iris();
  const client = new HttpClient({
    url: `http://127.0.0.1:${port}`,
    encoding: 'json',
    retry: { attemptsMax: 1 },
  });
  const features = tensor('FP32', [1, ...sample.shape], sample.values);
  const endMs = performance.now() + startMsMax;
  for (;;) {
    const asked = client.infer({ model: 'iris', inputs: { [sample.input]: features } });
    const answer = await asked.catch((error: unknown) => {
      if (performance.now() > endMs) throw error;
      return undefined;
    });
    if (answer === undefined) {
      await sleep(askEveryMs);
      continue;
    }
    const outputs = answer.outputs.map(({ name, data }) => {
      return { name, data: Array.from<unknown, number>(data as never, Number) };
    });
    requireLabel({ outputs }, sample.label);
    return;
  }
}

function iris(): DemoModel {
  const model = demoModels().findLast(({ name }) => name === 'iris');
  if (model === undefined) throw new Error('There is no demo model iris.');
  return model;
}
