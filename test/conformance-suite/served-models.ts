/** Our own gateway with models that take every datatype, and the suite run against a server, its reports read back. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand, type ExitCode } from '../conformance/command.ts';
import {
  demoModel,
  type GatewayUnderTest,
  startTestGateway,
  type TestModel,
} from '../e2e/gateway-under-test.ts';
import { echoModel } from '../e2e/odd-models.ts';
import { datatypes } from '../../runtime/tensor/dtype.ts';
import { fail, succeed } from '../../gateway/wire/error-code.ts';

export interface ReportedCheck {
  readonly id: string;
  readonly level: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  readonly reason?: string;
  readonly sent?: string;
  readonly expected?: string;
  readonly received?: string;
}

export interface SuiteRun {
  readonly exitCode: ExitCode;
  readonly printed: readonly string[];
  readonly complained: readonly string[];
  readonly report: Readonly<Record<string, unknown>> & { readonly checks: readonly ReportedCheck[] };
  readonly junit: string;
}

/** Throws when there are no reports; `runCommand` itself is for runs without any. */
export async function runSuite(args: readonly string[], signal?: AbortSignal): Promise<SuiteRun> {
  const folder = mkdtempSync(join(tmpdir(), 'conformance-'));
  const [json, junit] = [join(folder, 'report.json'), join(folder, 'report.xml')];
  const printed: string[] = [];
  const complained: string[] = [];
  try {
    const exitCode = await runCommand([...args, '--json', json, '--junit', junit], {
      print: (line) => printed.push(line),
      complain: (line) => complained.push(line),
      signal: signal ?? new AbortController().signal,
    });
    const report = JSON.parse(readFileSync(json, 'utf8')) as SuiteRun['report'];
    return { exitCode, printed, complained, report, junit: readFileSync(junit, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Failed checks as one line each, for a message that says it all. */
export function failures({ checks }: SuiteRun['report']): readonly string[] {
  return checks
    .filter(({ outcome }) => outcome === 'failed')
    .map(
      ({ id, sent = '', expected = '', received = '' }) => `${id}: ${sent} -> ${received}, not ${expected}`,
    );
}

export function idsWith(
  { checks }: SuiteRun['report'],
  outcome: ReportedCheck['outcome'],
): readonly string[] {
  return checks.filter((check) => check.outcome === outcome).map(({ id }) => id);
}

const models: readonly TestModel[] = [
  { name: 'iris', version: '2.0.0', file: demoModel('iris-2.0.0') },
  ...datatypes.flatMap((datatype) => [
    { name: `${datatype}-row`, version: '1.0.0', file: echoModel([{ datatype, shape: ['batch', 5] }]) },
    { name: `${datatype}-free`, version: '1.0.0', file: echoModel([{ datatype, shape: ['batch', 'n'] }]) },
  ]),
  { name: 'text', version: '1.0.0', file: echoModel([{ datatype: 'BYTES', shape: ['batch', 1] }]) },
  {
    name: 'pair',
    version: '1.0.0',
    file: echoModel([
      { datatype: 'FP32', shape: ['batch', 3] },
      { datatype: 'INT64', shape: ['batch', 2] },
    ]),
  },
];

/** May unload and load its models. */
export async function startServedModels(): Promise<GatewayUnderTest> {
  const versions = new Map(models.map(({ name, version }) => [name, version]));
  const under: GatewayUnderTest = await startTestGateway({
    models,
    control: {
      load: (model) => {
        const version = versions.get(model);
        if (version === undefined)
          return Promise.resolve(fail('UNKNOWN_MODEL', `There is no model '${model}'.`));
        under.store.deploy(model, version);
        return Promise.resolve(succeed(version));
      },
      unload: (model) => {
        under.store.undeploy(model);
        return Promise.resolve(succeed(undefined));
      },
    },
  });
  return under;
}
