/** Options with which `tidegate serve` starts the control API beside the gateway. */
import { type Command, InvalidArgumentError, Option } from 'commander';

export const tokensVariable = 'TIDEGATE_CONTROL_TOKENS';
export const tokensDefault = '.tidegate/control-tokens.json';

/** What `serve` is told about the control API. */
export interface ServeControlOptions {
  /** Without it there is no control API. */
  readonly controlPort?: number;
  readonly controlHost: string;
  readonly controlTokens: string;
  readonly controlAudit?: string;
  readonly controlArtifacts?: string;
  readonly controlCert?: string;
  readonly controlKey?: string;
  readonly controlClientCa?: string;
}

export function addControlOptions(command: Command, parsePort: (text: string) => number): Command {
  const file = (flag: string, text: string, variable: string): Option =>
    new Option(`${flag} <file>`, text).env(variable);
  return command
    .addOption(
      new Option('--control-port <number>', 'serve the control API there (default: it is off)')
        .env('TIDEGATE_CONTROL_PORT')
        .argParser(parsePort),
    )
    .addOption(
      new Option('--control-host <address>', 'address of the control API')
        .env('TIDEGATE_CONTROL_HOST')
        .default('127.0.0.1'),
    )
    .addOption(
      file('--control-tokens', 'who may use it: tidegate token', tokensVariable).default(tokensDefault),
    )
    .addOption(
      file(
        '--control-audit',
        'log of its changes (default: control-audit.jsonl in the state folder)',
        'TIDEGATE_CONTROL_AUDIT',
      ),
    )
    .addOption(
      new Option('--control-artifacts <folder>', 'models may be published from there by path').env(
        'TIDEGATE_CONTROL_ARTIFACTS',
      ),
    )
    .addOption(file('--control-cert', 'its certificate, for https', 'TIDEGATE_CONTROL_CERT'))
    .addOption(file('--control-key', 'the key of that certificate', 'TIDEGATE_CONTROL_KEY'))
    .addOption(
      file('--control-client-ca', 'clients need a certificate of this CA', 'TIDEGATE_CONTROL_CLIENT_CA'),
    );
}

export interface ControlTls {
  readonly certificate: string;
  readonly key: string;
  readonly clientCa?: string;
}

/** Undefined for plain HTTP. Throws for options that do not go together. */
export function controlTlsOf({
  controlCert: certificate,
  controlKey: key,
  controlClientCa: clientCa,
}: ServeControlOptions): ControlTls | undefined {
  if (certificate !== undefined && key !== undefined) {
    return { certificate, key, ...(clientCa !== undefined && { clientCa }) };
  }
  if (certificate === undefined && key === undefined && clientCa === undefined) return undefined;
  throw new InvalidArgumentError(
    '--control-cert and --control-key go together; --control-client-ca needs both.',
  );
}

/** Throws where one of the two could not listen, before anything is started. 0 takes a free port and meets nobody. */
export function requirePortsApart({
  port,
  controlPort,
}: { readonly port: number } & Pick<ServeControlOptions, 'controlPort'>): void {
  if (controlPort === undefined || controlPort === 0 || controlPort !== port) return;
  throw new InvalidArgumentError(
    `--control-port and --port are both ${port}. Give the control API a port of its own, such as ${port + 1}.`,
  );
}
