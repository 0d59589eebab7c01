/**
 * The one place where the control API is wired together: store, tokens, audit log, changes, port. Off unless somebody
 * starts it.
 */
import { readFile } from 'node:fs/promises';
import { StoreError } from '../../registry-store/main.ts';
import { systemCode } from '../../registry-store/store-error.ts';
import { type ProxyTrust, TrustedProxies } from '../socket/client-address.ts';
import { ControlServer, type ControlTls } from '../socket/control-server.ts';
import type { Logger } from '../telemetry/logger.ts';
import { AuditLog } from './audit-log.ts';
import { ChangeQueue } from './change-queue.ts';
import { ControlChanges } from './control-changes.ts';
import { type ControlLimits, controlLimits } from './control-limits.ts';
import { ControlOperations, type MemoryRefusal } from './control-operations.ts';
import { ControlService } from './control-service.ts';
import { type ControlStoreOptions, openControlStore } from './control-store.ts';
import { FailureLimit } from './failure-limit.ts';
import { isLoopback } from '../admission/local-names.ts';
import { LocalCallers } from './local-callers.ts';
import { TokenFile } from './token-file.ts';

export interface ControlOptions extends ControlStoreOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly tokensFile: string;
  readonly auditFile: string;
  /** Where artifacts may be taken from by path; without it, from nowhere. */
  readonly artifactsFolder?: string;
  /** PEM files. `clientCa` makes every client show a certificate that it signed. */
  readonly tls?: { readonly certificate: string; readonly key: string; readonly clientCa?: string };
  /** Where predictions are asked for, such as `http://127.0.0.1:8080`. */
  readonly inferenceUrl: string;
  /** Proxies whose word counts for the address of their clients; default none. */
  readonly trustedProxies?: ProxyTrust;
  /** Of the gateway in the same process. */
  readonly memoryRefusalOf?: MemoryRefusal;
  /** Of the software. */
  readonly version: string;
  readonly limits?: Partial<ControlLimits>;
  readonly log: Logger;
  /** Milliseconds since 1970. Default the clock of the machine. */
  readonly nowMs?: () => number;
}

export interface ControlPlane {
  readonly port: number;
  /** Whether this node holds signing keys. */
  readonly mayChange: boolean;
  /** Answers what it has within the grace period, gives up changes that are not in force, and lets go. Milliseconds. */
  close(graceMs: number): Promise<void>;
}

/** Rejects with a StoreError when a file it was given cannot be used, so that nothing is half protected. */
export async function startControl(options: ControlOptions): Promise<ControlPlane> {
  const { log, nowMs = Date.now } = options;
  const limits = { ...controlLimits, ...options.limits };
  const tokens = new TokenFile(options.tokensFile);
  await tokens.entries();
  const audit = new AuditLog(options.auditFile, (trouble) => {
    log.error({ err: trouble }, 'audit log cannot be written, changes are refused');
  });
  if (!(await audit.isReady())) {
    throw new StoreError('FILE_UNREADABLE', `The audit log ${options.auditFile} cannot be written.`);
  }
  const tls = await readTls(options);
  const store = await openControlStore(
    {
      ...options,
      reportKey: (trouble) => {
        log.warn({ trouble }, 'signing key cannot be used');
      },
    },
    limits,
  );
  const endpointOf = (model: string): string =>
    `${options.inferenceUrl.replace(/\/$/, '')}/predict/${encodeURIComponent(model)}`;
  const changes =
    store.access === undefined
      ? undefined
      : new ControlChanges({
          operations: new ControlOperations({
            store,
            access: store.access,
            endpointOf,
            memoryRefusalOf: options.memoryRefusalOf,
          }),
          queue: new ChangeQueue(limits.changesQueuedMax),
          limits,
          artifactsFolder: options.artifactsFolder,
        });
  const service = new ControlService({
    store,
    endpointOf,
    limits,
    version: options.version,
    callers: new LocalCallers(options.host),
    tokens,
    failures: new FailureLimit({ max: limits.failuresMax, windowMs: limits.failureWindowMs }),
    audit,
    changes,
    log,
    nowMs,
  });
  const server = new ControlServer({
    service,
    limits,
    tls,
    proxies: new TrustedProxies(options.trustedProxies),
  });
  const port = await server.listen(options.host, options.port);
  const mayChange = changes !== undefined;
  log.info({ port, host: options.host, mayChange, tls: tls !== undefined }, 'control API started');
  if (tls === undefined && !isLoopback(options.host)) {
    log.warn({ host: options.host }, 'control API without TLS on an address that others can reach');
  }
  return {
    port,
    mayChange,
    close: async (graceMs) => {
      await server.drain(graceMs);
      changes?.abort();
      // What was given up is answered in the next turns.
      await server.drain(Math.min(graceMs, 500));
      server.close();
    },
  };
}

async function readTls({ tls }: ControlOptions): Promise<ControlTls | undefined> {
  if (tls === undefined) return undefined;
  const [certificate, key, clientCa] = await Promise.all([
    readPem(tls.certificate),
    readPem(tls.key),
    tls.clientCa === undefined ? undefined : readPem(tls.clientCa),
  ]);
  return { certificate, key, clientCa };
}

async function readPem(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    const reason = systemCode(error) ?? 'unknown reason';
    throw new StoreError('FILE_UNREADABLE', `${path} cannot be read (${reason}).`, { cause: error });
  }
}
