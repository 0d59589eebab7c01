/**
 * A gateway over a store in the folder that it is given, for requests that the demo models are too small for. Prints its
 * port as JSON once every model is loaded. `node tensor-gateway.js <folder> <limits as JSON> <options as JSON>`
 */
import { join } from 'node:path';
import { pino } from 'pino';
import { parseLimits } from '../../gateway/admission/limits.ts';
import type { GatewayOptions } from '../../gateway/gateway-options.ts';
import { startGateway } from '../../gateway/main.ts';
import { openStore } from '../../registry-store/main.ts';

const [folder = '.', limitsText = '{}', optionsText = '{}'] = process.argv.slice(2);
const { state = 'state', ...options } = JSON.parse(optionsText) as Pick<
  GatewayOptions,
  'threads' | 'inlineRunUsMax'
> & { readonly state?: string };
const limits = parseLimits(JSON.parse(limitsText) as Record<string, unknown>);
if (!limits.ok) throw new Error(limits.problems.join(' '));
const store = await openStore({
  folder: join(folder, 'store'),
  pinnedRootPath: join(folder, 'keys', 'root.json'),
  stateFolder: join(folder, state),
});
const gateway = await startGateway({
  ...options,
  host: '127.0.0.1',
  port: 0,
  store,
  limits: limits.value,
  identity: { name: 'tidegate', version: 'bench' },
  log: pino({ level: 'warn' }, process.stderr),
});
await gateway.loaded;
if (gateway.failures.size > 0) throw new Error([...gateway.failures.values()].join(' '));
console.log(JSON.stringify({ port: gateway.port }));
