/** `tidegate status`: verifies every file of a store from the root of trust, then says what is in it. */
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { type StoreStatus, type VersionMetadata, readStatus } from '../registry-store/main.ts';
import { type Output, columns, write } from './output.ts';
import { type StoreOptions, addStoreOptions } from './store-options.ts';
import { metricsText, versionJson } from './version-text.ts';

interface StatusOptions extends StoreOptions {
  readonly root?: string;
}

export function registerStatus(program: Command, output: Output): void {
  addStoreOptions(program.command('status'))
    .description('verify the store and show what is published and live')
    .addOption(
      new Option('--root <file>', 'the pinned root.json (default: root.json in the keys folder)').env(
        'TIDEGATE_ROOT',
      ),
    )
    .addHelpText(
      'after',
      `
Needs no key. Ends with 1 and the name of the check when a file does not verify.

Examples:
  $ tidegate status
  $ tidegate status --store /media/usb/models --root root.json --json`,
    )
    .action(async (options: StatusOptions) => {
      const status = await readStatus({
        folder: options.store,
        pinnedRootPath: options.root ?? join(options.keys, 'root.json'),
        stateFolder: join(options.keys, 'state'),
        nowMs: Date.now(),
      });
      write(output, { json: statusJson(status), lines: statusLines(options.store, status) }, options);
    });
}

function statusJson({ snapshot, roles }: StoreStatus): object {
  const { changed, revision } = snapshot.manifest;
  const models = [...snapshot.models].map(([name, versions]) => ({
    name,
    live: snapshot.deployments.get(name)?.version ?? null,
    previous: snapshot.deployments.get(name)?.previousVersion ?? null,
    versions: [...versions.values()].map(versionJson),
  }));
  return { revision: snapshot.revision, deployments_revision: revision, last_change: changed, models, roles };
}

function statusLines(store: string, { snapshot, roles }: StoreStatus): readonly string[] {
  const { at, by, why } = snapshot.manifest.changed;
  const lines = [`${store} verifies, revision ${snapshot.revision}`];
  for (const [name, versions] of snapshot.models) {
    const live = snapshot.deployments.get(name);
    const rows = [...versions.values()].map((version) => versionRow(version, live));
    lines.push('', name, ...columns(rows));
  }
  if (snapshot.models.size === 0) lines.push('', 'No model is published yet.');
  lines.push('', `Last deployment change: ${at} by ${by}${why === '' ? '' : `: ${why}`}`);
  lines.push(
    '',
    ...columns(roles.map(({ role, version, expires }) => [role, `v${version}`, `until ${expires}`])),
  );
  return lines;
}

function versionRow(
  version: VersionMetadata,
  live: { readonly version: string; readonly previousVersion?: string } | undefined,
): readonly string[] {
  const isPrevious = live?.previousVersion === version.version;
  const marker = live?.version === version.version ? '* live' : isPrevious ? '  previous' : '';
  return [
    `  ${marker}`,
    version.version,
    version.stage,
    version.createdAt.slice(0, 10),
    version.framework,
    version.author,
    metricsText(version.metrics),
    version.tags.join(' '),
  ];
}
