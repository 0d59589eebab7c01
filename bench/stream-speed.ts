/**
 * `npm run bench -- stream`: what the WebSocket protocol costs on top of the server library. The gateway with requests of
 * one row and of 64 rows, against a bare uWebSockets.js that echoes frames of the same size, under the same load and one
 * after the other in each round. Rates depend on what else the machine does; processor time per frame depends less, so
 * both are reported. The rate is the median of the rounds, the ratio the median of the rounds' ratios.
 */
import { Command, InvalidArgumentError } from 'commander';
import { Packr } from 'msgpackr';
import { demoModels } from '../deploy/demo/demo-models.ts';
import { type Children, nodeCommand } from './children.ts';
import { numberField } from './json-field.ts';
import { StreamSocket } from '../cli/bench/load/stream-socket.ts';
import { encodeClientFrame } from '../cli/bench/load/websocket-frame.ts';
import { localTarget } from './load/local-target.ts';
import { startGateway } from './peers/gateway.ts';
import { describeEnvironment, readEnvironment } from './report/environment.ts';
import { formatNumber, formatSpread, spreadOf } from './report/spread.ts';
import { type Column, renderTable } from './report/table.ts';
import { modelName } from './workload.ts';

/** Ids of this size take five bytes in msgpack. The id is the first pair, so that its bytes are always at one place. */
const firstId = 0x1_0000;
const idAt = 5;

interface Shape {
  readonly rows: number;
  readonly sockets: number;
  /** On each socket. */
  readonly inflight: number;
}

const shapes: readonly Shape[] = [
  { rows: 1, sockets: 1, inflight: 512 },
  { rows: 1, sockets: 16, inflight: 64 },
  { rows: 1, sockets: 64, inflight: 16 },
  { rows: 1, sockets: 64, inflight: 4 },
  { rows: 1, sockets: 256, inflight: 1 },
  { rows: 64, sockets: 4, inflight: 32 },
];

interface FloodReport {
  readonly framesPerSecond: number;
  /** Of the server process with all its threads, microseconds. */
  readonly serverUsPerFrame: number;
  readonly clientUsPerFrame: number;
  readonly failures: number;
}

export interface StreamSpeedOptions {
  /** Of each measured run. */
  readonly seconds: number;
  readonly rounds: number;
  /** Empty; removed by the caller. */
  readonly folder: string;
  readonly children: Children;
}

/** `args` behind `stream`. Ends the process for --help and for what makes no sense, with a message. */
export function parseStreamSpeed(args: readonly string[]): Pick<StreamSpeedOptions, 'seconds' | 'rounds'> {
  return new Command('npm run bench -- stream')
    .description('Compares the WebSocket of the gateway with a bare uWebSockets.js that echoes frames.')
    .option('--seconds <count>', 'length of each measured run', wholeNumber, 2)
    .option('--rounds <count>', 'how often everything is measured', wholeNumber, 3)
    .allowExcessArguments(false)
    .parse(args, { from: 'user' })
    .opts();
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 1000) return value;
  throw new InvalidArgumentError('Give a whole number from 1 to 1000.');
}

/** Resolves with whether every answer was right in size. Prints a table; progress goes to standard error. */
export async function measureStreamSpeed(options: StreamSpeedOptions): Promise<boolean> {
  const { seconds, rounds, children, folder } = options;
  console.log(`${describeEnvironment(readEnvironment())}\n`);
  const ports = { echo: await startEcho(children), gateway: await startGateway(children, folder) };
  const lines: (readonly string[])[] = [];
  let failures = 0;
  for (const shape of shapes) {
    const payload = requestOf(shape.rows);
    const answerBytes = { echo: payload.length, gateway: (await firstAnswer(ports.gateway, payload)).length };
    const pairs: Pair[] = [];
    for (let round = 0; round < rounds; round++) {
      console.error(`bench: ${nameOf(shape)}, round ${round + 1} of ${rounds}`);
      const run = (server: keyof Pair): Promise<FloodReport> =>
        runFlood(children, {
          ...{ ...shape, payload, seconds },
          ...{ port: ports[server], answerBytes: answerBytes[server] },
        });
      // Who is first takes turns.
      const early = round % 2 === 0 ? await run('echo') : undefined;
      const gateway = await run('gateway');
      const pair = { echo: early ?? (await run('echo')), gateway };
      pairs.push(pair);
      failures += pair.echo.failures + pair.gateway.failures;
    }
    lines.push(lineOf(shape, pairs));
  }
  console.log(renderTable(columns, lines));
  console.log(`\nMedians of ${rounds} rounds (lowest-highest); us are those of the server, a frame.`);
  if (failures > 0)
    console.log(`${failures} answers were wrong or connections lost: the numbers mean nothing.`);
  return failures === 0;
}

/** The two in one round. */
interface Pair {
  readonly echo: FloodReport;
  readonly gateway: FloodReport;
}

const columns: readonly Column[] = [
  { title: 'rows, sockets x in flight', align: 'left' },
  ...['echo, frames/s', 'gateway, frames/s', 'ratio', 'echo, us', 'gateway, us', 'ratio', 'rows/s'].map(
    (title): Column => ({ title, align: 'right' }),
  ),
];

const nameOf = ({ rows, sockets, inflight }: Shape): string => `${rows}, ${sockets} x ${inflight}`;

function lineOf(shape: Shape, pairs: readonly Pair[]): readonly string[] {
  const over = (number: (pair: Pair) => number): string =>
    formatSpread(spreadOf(pairs.map(number)), formatNumber);
  return [
    nameOf(shape),
    over(({ echo }) => echo.framesPerSecond),
    over(({ gateway }) => gateway.framesPerSecond),
    over(({ echo, gateway }) => gateway.framesPerSecond / echo.framesPerSecond),
    over(({ echo }) => echo.serverUsPerFrame),
    over(({ gateway }) => gateway.serverUsPerFrame),
    over(({ echo, gateway }) => echo.serverUsPerFrame / gateway.serverUsPerFrame),
    over(({ gateway }) => gateway.framesPerSecond * shape.rows),
  ];
}

const packr = new Packr({ useRecords: false, variableMapSize: true });

function requestOf(rows: number): Uint8Array {
  const sample = demoModels().find(({ name }) => name === modelName)?.sample;
  if (sample === undefined) throw new Error(`There is no demo model ${modelName}.`);
  const values = Array.from({ length: rows }, () => sample.values).flat();
  const data = Buffer.from(Float32Array.from(values).buffer);
  const tensor = { name: sample.input, shape: [rows, sample.values.length], datatype: 'FP32', data };
  return packr.pack({ id: firstId, model: modelName, inputs: [tensor] });
}

async function firstAnswer(port: number, payload: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const opened = StreamSocket.connect(localTarget(port), {
      onMessage: (message) => {
        const answer = message.slice();
        void opened.then((socket) => {
          socket.close();
        });
        const fields: unknown = packr.unpack(answer);
        if (numberField(fields, 'id') === firstId && JSON.stringify(fields).includes('outputs'))
          resolve(answer);
        else reject(new Error(`The gateway answered ${JSON.stringify(fields)}.`));
      },
      onChunkEnd: () => undefined,
      onLost: reject,
    });
    opened.then((socket) => {
      socket.send(encodeClientFrame(payload));
    }, reject);
  });
}

async function startEcho(children: Children): Promise<number> {
  const script = new URL('peers/echo-uws.js', import.meta.url);
  const child = children.start(nodeCommand('echo', script, { args: [] }));
  return numberField(JSON.parse(await child.firstLine()), 'port');
}

/** One run against a gateway. Resolves with the frames answered in a second; throws when one was not as it must be. */
export async function floodOnce(
  children: Children,
  port: number,
  load: Shape & { readonly seconds: number },
): Promise<number> {
  const payload = requestOf(load.rows);
  const answerBytes = (await firstAnswer(port, payload)).length;
  const { framesPerSecond, failures } = await runFlood(children, { ...load, payload, port, answerBytes });
  if (failures > 0) throw new Error(`${failures} answers were wrong or connections lost.`);
  return framesPerSecond;
}

async function runFlood(
  children: Children,
  load: Shape & {
    readonly port: number;
    readonly payload: Uint8Array;
    readonly answerBytes: number;
    readonly seconds: number;
  },
): Promise<FloodReport> {
  const script = new URL('load/flood-client.js', import.meta.url);
  const payload = Buffer.from(load.payload).toString('base64');
  const job = { ...load, payload, idAt, warmUpSeconds: 1 };
  const child = children.start(nodeCommand('flood client', script, { args: [JSON.stringify(job)] }));
  const report: unknown = JSON.parse(await child.output());
  const answers = numberField(report, 'answers');
  return {
    framesPerSecond: answers / numberField(report, 'seconds'),
    serverUsPerFrame: (numberField(report, 'serverCpuSeconds') / answers) * 1e6,
    clientUsPerFrame: (numberField(report, 'clientCpuSeconds') / answers) * 1e6,
    failures: numberField(report, 'failures'),
  };
}
