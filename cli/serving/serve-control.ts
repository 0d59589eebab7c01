/** The control API beside the gateway that `tidegate serve` started: it is started after it and closed with it. */
import { delimiter, join } from 'node:path';
import type { ControlPlane } from '../../gateway/admin/control-plane.ts';
import type { Gateway } from '../../gateway/gateway-options.ts';
import type { Logger } from '../../gateway/telemetry/logger.ts';
import type { StoreSnapshot } from '../../registry-store/main.ts';
import { controlTlsOf, type ServeControlOptions } from '../options/control-options.ts';
import { proxyTrustOf, type RoutingOptions } from '../options/routing-options.ts';
import type { Output } from '../output.ts';
import { packageVersion } from '../package-version.ts';
import { isPassphraseGiven, passphrases } from '../terminal/passphrase.ts';

interface ServedStore extends Partial<Pick<RoutingOptions, 'trustedProxy' | 'proxyHeader'>> {
  readonly store: string;
  readonly keys: string;
  readonly root?: string;
  readonly state: string;
  /** Address of the gateway itself. */
  readonly host: string;
}

interface BesideGateway {
  readonly gateway: Pick<Gateway, 'port' | 'loaded' | 'memoryRefusalOf' | 'close'>;
  /** The state that the gateway serves. */
  readonly current: () => StoreSnapshot;
  /** How long requests in flight may take when it ends, milliseconds. */
  readonly graceMs: number;
  readonly output: Output;
  readonly log: Logger;
}

/** Starts the control API beside a gateway, if it is asked for; closing closes both, and so does a failure to start. */
export async function withControl(
  options: ServeControlOptions & ServedStore,
  facts: BesideGateway,
): Promise<{ close(): Promise<void> }> {
  const { gateway, output, graceMs } = facts;
  try {
    const control = await startControlFor(options, facts);
    if (control === undefined) return gateway;
    const scheme = options.controlCert === undefined ? 'http' : 'https';
    const may = control.mayChange ? 'may change the store' : 'only shows: this node holds no signing key';
    output.out(`Control API ${urlOf(scheme, options.controlHost, control.port)} (${may})\n`);
    return {
      close: async () => {
        await control.close(graceMs);
        await gateway.close();
      },
    };
  } catch (error) {
    // Models whose loading is cut off would be reported as broken.
    await gateway.loaded;
    await gateway.close();
    throw error;
  }
}

/** Undefined when it is off. Throws for options that do not go together. */
async function startControlFor(
  options: ServeControlOptions & ServedStore,
  facts: BesideGateway,
): Promise<ControlPlane | undefined> {
  const { controlPort: port, controlHost: host, controlArtifacts, state } = options;
  if (port === undefined) return undefined;
  const tls = controlTlsOf(options);
  const keysFolders = options.keys.split(delimiter).filter((folder) => folder !== '');
  const { startControl } = await import('../../gateway/admin/control-plane.ts');
  return startControl({
    host,
    port,
    source: options.store,
    keysFolders,
    pinnedRootPath: options.root ?? join(keysFolders[0] ?? '', 'root.json'),
    stateFolder: state,
    current: facts.current,
    // Nobody sits at a server to be asked.
    ...(isPassphraseGiven({}) && {
      passphrase: passphrases({ out: facts.output.out, err: facts.output.err }, {}),
    }),
    tokensFile: options.controlTokens,
    auditFile: options.controlAudit ?? join(state, 'control-audit.jsonl'),
    ...(controlArtifacts !== undefined && { artifactsFolder: controlArtifacts }),
    ...(tls !== undefined && { tls }),
    trustedProxies: proxyTrustOf(options),
    inferenceUrl: urlOf('http', options.host, facts.gateway.port),
    memoryRefusalOf: (artifact) => facts.gateway.memoryRefusalOf(artifact),
    version: packageVersion(),
    log: facts.log,
  });
}

function urlOf(scheme: string, host: string, port: number): string {
  return `${scheme}://${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${port}`;
}
