/** `tidegate status`: verifies every file of a store from the root of trust, then says what is in it. */
import { type Command, Option } from 'commander';
import {
  type Deployment,
  type StoreState,
  type StoreStatus,
  readStatus,
  stateAt,
} from '../../registry-store/main.ts';
import { versionJson } from '../../registry-store/manifest/version-facts.ts';
import { askNode, nodeLines } from '../node-status.ts';
import { type ReaderOptions, addReaderOptions, readerOf } from '../options/store-options.ts';
import { type Output, columns, write } from '../output.ts';
import { batchingText, cacheText, resourcesText, rolloutText } from '../text/change-text.ts';
import { deploymentFields } from '../text/deployment-answer.ts';
import { momentText } from '../text/moment.ts';
import { pipelinesText } from '../text/pipeline-text.ts';
import { roleRows } from '../text/role-rows.ts';
import { versionRow } from '../text/version-text.ts';
import { revisionOption } from './history.ts';

interface StatusOptions extends ReaderOptions {
  readonly at?: number;
  readonly node?: string;
}

export function registerStatus(program: Command, output: Output): void {
  addReaderOptions(program.command('status'))
    .description('verify the store and show what is published and live')
    .addOption(new Option('--at <revision>', 'what was published and live then').argParser(revisionOption))
    .addOption(new Option('--node <url>', 'ask a running gateway what it serves, instead of the store'))
    .addHelpText(
      'after',
      `
Needs no key. Ends with 1 and the name of the check when a file does not verify, or when the node is not ready.

Examples:
  $ tidegate status
  $ tidegate status --at 41
  $ tidegate status --node http://127.0.0.1:8080
  $ tidegate status --store /media/usb/models --root root.json --json`,
    )
    .action(async (options: StatusOptions) => {
      if (options.node !== undefined) {
        await showNode(options.node, { output, options });
        return;
      }
      const reader = readerOf(options);
      if (options.at !== undefined) {
        const state = await stateAt({ ...reader, revision: options.at });
        write(output, { json: stateJson(state), lines: stateLines(state) }, options);
        return;
      }
      const status = await readStatus(reader);
      const lines = statusLines(options.store, status, reader.nowMs);
      write(output, { json: statusJson(status), lines }, options);
    });
}

async function showNode(
  address: string,
  { output, options }: { readonly output: Output; readonly options: StatusOptions },
): Promise<void> {
  const node = await askNode(address);
  write(output, { json: { node: address, ...node }, lines: nodeLines(address, node, Date.now()) }, options);
  if (!node.ready) throw new Error(`${address} is not ready.`);
}

function statusJson({ snapshot, roles }: StoreStatus): object {
  const { changed, revision } = snapshot.manifest;
  const models = [...snapshot.models].map(([name, versions]) => ({
    name,
    live: snapshot.deployments.get(name)?.version ?? null,
    previous: snapshot.deployments.get(name)?.previousVersion ?? null,
    deployment: snapshot.deployments.has(name) ? deploymentFields(snapshot.deployments.get(name)) : null,
    versions: [...versions.values()].map(versionJson),
  }));
  return { revision: snapshot.revision, deployments_revision: revision, last_change: changed, models, roles };
}

function stateJson({ revision, deployments, stages }: StoreState): object {
  const models = [...stages].map(([name, versions]) => ({
    name,
    deployment: deployments.has(name) ? deploymentFields(deployments.get(name)) : null,
    versions: [...versions].map(([version, stage]) => ({ version, stage })),
  }));
  return { revision, models };
}

function stateLines({ revision, deployments, stages }: StoreState): readonly string[] {
  const lines = [`Revision ${revision}`];
  for (const [name, versions] of stages) {
    const deployment = deployments.get(name);
    const rows = [...versions].map(([version, stage]) => [
      deployment?.version === version ? '  * live' : '',
      version,
      stage,
    ]);
    lines.push('', [name, ...deploymentFacts(deployment)].join(', '), ...columns(rows));
  }
  if (stages.size === 0) lines.push('', 'No model was published yet.');
  return lines;
}

function deploymentFacts(deployment: Deployment | undefined): readonly string[] {
  if (deployment === undefined) return [];
  return [
    rolloutText(deployment),
    pipelinesText(deployment),
    resourcesText(deployment.resources),
    batchingText(deployment.batching),
    cacheText(deployment.cache),
  ].filter((fact) => fact !== '');
}

function statusLines(store: string, { snapshot, roles }: StoreStatus, nowMs: number): readonly string[] {
  const { at, by, why } = snapshot.manifest.changed;
  const lines = [`${store} verifies, revision ${snapshot.revision}`];
  for (const [name, versions] of snapshot.models) {
    const deployment = snapshot.deployments.get(name);
    const rows = [...versions.values()].map((version) => ['', ...versionRow(version, deployment)]);
    lines.push('', [name, ...deploymentFacts(deployment)].join(', '), ...columns(rows));
  }
  if (snapshot.models.size === 0) lines.push('', 'No model is published yet.');
  lines.push('', `Last deployment change: ${momentText(at)} by ${by}${why === '' ? '' : `: ${why}`}`);
  lines.push('', ...columns(roleRows(roles, { nowMs, cells: ({ version }) => [`v${version}`] })));
  return lines;
}
