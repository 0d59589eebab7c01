/** Options of `serve` that say how rollouts divide requests: where keys are, what is done without one, who may choose. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type MissingKeyPolicy, missingKeyPolicies } from '../../gateway/route/missing-key.ts';
import {
  type HeadKeySource,
  type KeySource,
  parseKeySource,
  planKeys,
} from '../../gateway/route/routing-key.ts';
import {
  parseProxyRange,
  proxyHeaders,
  type ProxyHeader,
  type ProxyRange,
  type ProxyTrust,
} from '../../gateway/socket/client-address.ts';
import { type ForcePolicy, forcePolicies } from '../../gateway/socket/force-permission.ts';

export interface RoutingOptions {
  readonly routingKey: readonly KeySource[];
  readonly callerKey: readonly HeadKeySource[];
  readonly trustedProxy: readonly ProxyRange[];
  readonly proxyHeader: ProxyHeader;
  readonly missingKey: MissingKeyPolicy;
  readonly forceVersion: (typeof forcePolicies)[number];
  readonly forceTokenFile?: string;
}

/** Shorter secrets can be tried out. */
const tokenLengthMin = 16;
const tokenLengthMax = 1024;

export function addRoutingOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--routing-key <source>',
        'where requests carry the key that rollouts divide by: header:<name>, cookie:<name>, query:<name>, body:<JSON pointer> or address; the first that has one; may be repeated (default: header:x-routing-key, header:x-user-id, query:routing_key)',
      )
        .env('TIDEGATE_ROUTING_KEY')
        .default([], 'see above')
        .argParser(collectKeySources),
    )
    .addOption(
      new Option(
        '--caller-key <source>',
        'what tells callers apart where callerRowsMax or callerBytesMax bounds them: header:<name>, cookie:<name> or query:<name>; the first that is sent, else the address; may be repeated',
      )
        .env('TIDEGATE_CALLER_KEY')
        .default([], 'the address')
        .argParser(collectCallerKeys),
    )
    .addOption(
      new Option(
        '--trusted-proxy <range>',
        'proxies whose header says the address of a client, such as 10.0.0.0/8; may be repeated',
      )
        .env('TIDEGATE_TRUSTED_PROXY')
        .default([], 'none')
        .argParser(collectProxies),
    )
    .addOption(
      new Option('--proxy-header <name>', 'the header that these proxies set, and that clients cannot')
        .env('TIDEGATE_PROXY_HEADER')
        .choices(proxyHeaders)
        .default('x-forwarded-for'),
    )
    .addOption(
      new Option(
        '--missing-key <policy>',
        'what is done with requests without a key during a canary: any bucket, the live version, or a refusal',
      )
        .env('TIDEGATE_MISSING_KEY')
        .choices(missingKeyPolicies)
        .default('random'),
    )
    .addOption(
      new Option(
        '--force-version <who>',
        'who may choose a version with the header x-model-version; token: who sends the secret in x-force-token',
      )
        .env('TIDEGATE_FORCE_VERSION')
        .choices(forcePolicies)
        .default('any'),
    )
    .addOption(
      new Option('--force-token-file <file>', 'with --force-version token: the file with the secret').env(
        'TIDEGATE_FORCE_TOKEN_FILE',
      ),
    );
}

/** Whose word counts for where a request comes from, for the gateway and its control API. */
export function proxyTrustOf({
  trustedProxy: ranges = [],
  proxyHeader: header = 'x-forwarded-for',
}: Partial<Pick<RoutingOptions, 'trustedProxy' | 'proxyHeader'>>): ProxyTrust {
  return { ranges, header };
}

/** For the gateway. Reads the secret, of which only a digest is kept. */
export function routingOf(options: RoutingOptions): {
  readonly keySources?: readonly KeySource[];
  readonly callerSources: readonly HeadKeySource[];
  readonly trustedProxies?: ProxyTrust;
  readonly missingKey: MissingKeyPolicy;
  readonly forceVersion: ForcePolicy;
} {
  const { routingKey, callerKey, missingKey, forceVersion, forceTokenFile } = options;
  if (planKeys(routingKey) === undefined) {
    throw new InvalidArgumentError(
      'Name the sources in the body side by side: they are looked for in one go.',
    );
  }
  return {
    ...(routingKey.length > 0 && { keySources: routingKey }),
    callerSources: callerKey,
    ...(options.trustedProxy.length > 0 && { trustedProxies: proxyTrustOf(options) }),
    missingKey,
    forceVersion: forcePolicyOf(forceVersion, forceTokenFile),
  };
}

function forcePolicyOf(who: RoutingOptions['forceVersion'], tokenFile: string | undefined): ForcePolicy {
  if (who === 'token' && tokenFile !== undefined) return { tokenSha256: tokenDigest(tokenFile) };
  if (who !== 'token' && tokenFile === undefined) return who;
  throw new InvalidArgumentError('--force-version token and --force-token-file <file> go together.');
}

function tokenDigest(file: string): Uint8Array {
  let token: string;
  try {
    token = readFileSync(file, 'utf8').trim();
  } catch {
    throw new InvalidArgumentError(`The file ${file} with the secret of --force-token-file cannot be read.`);
  }
  const isFit =
    token.length >= tokenLengthMin && token.length <= tokenLengthMax && /^[\x21-\x7e]+$/.test(token);
  if (isFit) return createHash('sha256').update(token).digest();
  throw new InvalidArgumentError(
    `The secret in ${file} must be ${tokenLengthMin} to ${tokenLengthMax} printable ASCII characters on one line, without blanks. Make one: openssl rand -hex 32`,
  );
}

/** By option or environment variable, as sources of keys are. */
function collectProxies(text: string, before: readonly ProxyRange[]): readonly ProxyRange[] {
  const parts = text.split(/[\s,]+/).filter((part) => part !== '');
  return [...before, ...parts.map(proxyRangeOf)];
}

function proxyRangeOf(text: string): ProxyRange {
  const range = parseProxyRange(text);
  if (range !== undefined) return range;
  throw new InvalidArgumentError(
    `${text} is no range of proxies. Write 192.0.2.7, 10.0.0.0/8 or fd00::/8; a range of all addresses would let everybody claim any.`,
  );
}

/** Given by option several times, or by environment variable with spaces or commas between. */
function collectKeySources(text: string, before: readonly KeySource[]): readonly KeySource[] {
  const parts = text.split(/[\s,]+/).filter((part) => part !== '');
  return [...before, ...parts.map(keySourceOf)];
}

/** Who sends it must be known before the body is read. */
function collectCallerKeys(text: string, before: readonly HeadKeySource[]): readonly HeadKeySource[] {
  const sources = collectKeySources(text, []).map((source) => {
    if (source.kind !== 'body') return source;
    throw new InvalidArgumentError(
      'Callers are told apart by what stands before the body. Write header:x-tenant.',
    );
  });
  return [...before, ...sources];
}

function keySourceOf(text: string): KeySource {
  const source = parseKeySource(text);
  if (source !== undefined) return source;
  throw new InvalidArgumentError(
    `${text} is no place for a key. Write header:x-user-id, cookie:uid, query:user, body:/user/id or address.`,
  );
}
