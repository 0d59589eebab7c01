/**
 * Starts the real gateway in this process over a puppet store, with its threads running the compiled worker. Tests
 * speak to it over real sockets, read its metrics, and read its log line by line.
 */
import { readFileSync } from 'node:fs';
import { pino } from 'pino';
import {
  type Gateway,
  type RepositoryControl,
  type ResponseCacheOptions,
  type Siblings,
  startGateway,
} from '../../gateway/main.ts';
import type { MissingKeyPolicy } from '../../gateway/route/missing-key.ts';
import type { HeadKeySource, KeySource } from '../../gateway/route/routing-key.ts';
import type { ScalingOptions } from '../../gateway/scale/scaling-options.ts';
import type { ProxyTrust } from '../../gateway/socket/client-address.ts';
import type { ForcePolicy } from '../../gateway/socket/force-permission.ts';
import { parseLimits } from '../../gateway/admission/limits.ts';
import { engineUnderTest } from '../runtime/engine-under-test.ts';
import type { LogLevel } from '../../gateway/telemetry/log-level.ts';
import { expectContract, forgetContract } from './contract.ts';
import { type Caller, type Form, openCaller } from './callers.ts';
import type { VersionMetadata } from '../../registry-store/main.ts';
import type { EngineChoice } from '../../runtime/protocol/engine-choice.ts';
import { MetricsScrape } from './metrics-scrape.ts';
import { PuppetStore } from './puppet-store.ts';
import type { OutputNames } from './wire-forms.ts';

export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string };

export interface TestModel {
  readonly name: string;
  readonly version: string;
  readonly file: Uint8Array;
  /** What it remembers between the calls of a sequence. */
  readonly state?: VersionMetadata['state'];
  /** Declares the fixed first dimension of its tensors to be a batch of independent rows. */
  readonly fixedRows?: number;
}

export interface GatewayUnderTest {
  readonly url: string;
  readonly port: number;
  readonly store: PuppetStore;
  readonly gateway: Gateway;
  /** Everything the gateway logged so far. */
  readonly log: readonly LogLine[];
  caller(form: Form): Caller;
  metrics(): Promise<MetricsScrape>;
  /** Closes the gateway and every caller that was opened here. */
  close(): Promise<void>;
}

/** Committed demo model, for example `demoModel('iris-2.0.0')`. */
export function demoModel(name: string): Uint8Array {
  return readFileSync(new URL(`../../deploy/demo/models/${name}.onnx`, import.meta.url));
}

export async function startTestGateway(options: {
  /** Published in this order; of several versions of a model the last one is live and the one before stays loaded. */
  readonly models: readonly TestModel[];
  readonly limits?: Readonly<Record<string, number>>;
  readonly threads?: number;
  /** Default `engineUnderTest`. */
  readonly engine?: EngineChoice;
  /** 0 keeps every model on the threads; the default is that of the gateway. */
  readonly inlineRunUsMax?: number;
  readonly websocketCompression?: boolean;
  readonly corsOrigins?: readonly string[];
  readonly missingKey?: MissingKeyPolicy;
  readonly keySources?: readonly KeySource[];
  readonly callerSources?: readonly HeadKeySource[];
  readonly trustedProxies?: ProxyTrust;
  readonly forceVersion?: ForcePolicy;
  readonly responseCache?: ResponseCacheOptions;
  readonly siblings?: Siblings;
  readonly scaling?: Partial<ScalingOptions>;
  readonly rolloutsFile?: string;
  readonly control?: RepositoryControl;
  /** False loads faster, and between batches. */
  readonly loadsBeside?: boolean;
  readonly modelMemoryBytesMax?: number;
  readonly pinnedModels?: readonly string[];
  /** Default `info`. */
  readonly logLevel?: LogLevel;
  /** A worker other than that of the product. */
  readonly workerFile?: URL;
}): Promise<GatewayUnderTest> {
  const store = new PuppetStore();
  for (const { name, version, file, ...declared } of options.models) {
    store.publish(name, version, file, declared);
    store.deploy(name, version);
  }
  // Connections that tests keep open hear nothing any more; no processor is ever free while tests run, and copies are counted.
  const limits = parseLimits({
    shutdownLingerMs: 0,
    loadBehindMsMax: 0,
    shadowBusyPercentMax: 100,
    ...options.limits,
  });
  if (!limits.ok) throw new Error(limits.problems.join(' '));
  const log: LogLine[] = [];
  const gateway = await startGateway({
    host: '127.0.0.1',
    port: 0,
    store,
    limits: limits.value,
    threads: options.threads ?? 1,
    engine: options.engine ?? (await engineUnderTest()),
    ...(options.inlineRunUsMax === undefined ? {} : { inlineRunUsMax: options.inlineRunUsMax }),
    websocketCompression: options.websocketCompression ?? false,
    ...(options.corsOrigins === undefined ? {} : { corsOrigins: options.corsOrigins }),
    ...(options.missingKey === undefined ? {} : { missingKey: options.missingKey }),
    ...(options.keySources === undefined ? {} : { keySources: options.keySources }),
    ...(options.callerSources === undefined ? {} : { callerSources: options.callerSources }),
    ...(options.trustedProxies === undefined ? {} : { trustedProxies: options.trustedProxies }),
    ...(options.forceVersion === undefined ? {} : { forceVersion: options.forceVersion }),
    ...(options.responseCache === undefined ? {} : { responseCache: options.responseCache }),
    ...(options.siblings === undefined ? {} : { siblings: options.siblings }),
    ...(options.scaling === undefined ? {} : { scaling: options.scaling }),
    ...(options.rolloutsFile === undefined ? {} : { rolloutsFile: options.rolloutsFile }),
    ...(options.control === undefined ? {} : { control: options.control }),
    ...(options.modelMemoryBytesMax === undefined
      ? {}
      : { modelMemoryBytesMax: options.modelMemoryBytesMax }),
    ...(options.loadsBeside === undefined ? {} : { loadsBeside: options.loadsBeside }),
    ...(options.pinnedModels === undefined ? {} : { pinnedModels: options.pinnedModels }),
    identity: { name: 'tidegate', version: '0.0.0' },
    log: pino(
      { base: null, level: options.logLevel ?? 'info' },
      { write: (line) => void log.push(JSON.parse(line) as LogLine) },
    ),
    workerFile: options.workerFile ?? new URL('../../dist/runtime/worker/main.js', import.meta.url),
  });
  await gateway.loaded;
  const { port } = gateway;
  await expectContract(port);
  const url = `http://127.0.0.1:${port}`;
  const callers: Caller[] = [];
  const outputsOf = (model: string): OutputNames => store.signatureOf(model).outputs;
  return {
    url,
    port,
    store,
    gateway,
    log,
    caller: (form) => {
      const caller = openCaller(form, { port, outputsOf });
      callers.push(caller);
      return caller;
    },
    metrics: () => MetricsScrape.of(url),
    close: async () => {
      for (const caller of callers) caller.close();
      forgetContract(port);
      await gateway.close();
    },
  };
}
