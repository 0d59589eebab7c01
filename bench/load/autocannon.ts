/** Load from autocannon, in a child of its own so that the suite and earlier runs leave no mark on it. */
import { type Children, nodeCommand } from '../children.ts';
import type { HttpLoad } from './http-load.ts';
import { type LoadReport, parseLoadReport } from './load-report.ts';

const clientModule = new URL('autocannon-client.js', import.meta.url);

export async function runAutocannon(children: Children, load: HttpLoad): Promise<LoadReport> {
  const child = children.start(nodeCommand('autocannon', clientModule, { args: [JSON.stringify(load)] }));
  return parseLoadReport(await child.output());
}
