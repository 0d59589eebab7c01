/** `tidegate verify` and `tidegate gc`: is every byte of the store in order, and what of it nobody needs any more. */
import { type Command, Option } from 'commander';
import { collectGarbage, verifyStore } from '../../registry-store/main.ts';
import { counted, countOption, sizeText } from '../options/quantity.ts';
import {
  type ReaderOptions,
  type StoreOptions,
  addReaderOptions,
  addStoreOptions,
  readerOf,
  withPublisher,
} from '../options/store-options.ts';
import { type Output, columns, write } from '../output.ts';
import { progressFor } from '../terminal/progress.ts';
import { roleRows } from '../text/role-rows.ts';

interface GcOptions extends StoreOptions {
  readonly dryRun?: true;
  readonly keepSuperseded?: number;
}

export function registerVerify(program: Command, output: Output): void {
  addReaderOptions(program.command('verify'))
    .description('check a whole store offline and say what was proved')
    .addHelpText(
      'after',
      `
Reads every file, more than a node asks for before it serves: superseded metadata, artifacts that are not live, the
whole history. Needs no key and no network. Ends with 1 and the name of the check when something does not verify.

Examples:
  $ tidegate verify
  $ tidegate verify --store /media/usb/models --root root.json`,
    )
    .action(async (options: ReaderOptions) => {
      const reader = readerOf(options);
      const progress = progressFor(output, options, 'things');
      try {
        const report = await verifyStore({
          ...reader,
          progress: ({ step, done, total }) => {
            progress.step(`checking ${step}`, done, total);
          },
        });
        progress.end();
        const { roles, proved, ...counts } = report;
        const lines = [
          `${options.store} verifies, revision ${report.revision}`,
          `  ${[
            counted(report.models, 'model'),
            counted(report.versions, 'version'),
            counted(report.deployments, 'deployment'),
            counted(report.events, 'event'),
            `${counted(report.files, 'file')} of ${sizeText(report.bytes)}`,
          ].join(', ')}`,
          '',
          'Proved:',
          ...proved.map((sentence) => `  ${sentence}`),
          '',
          ...columns(
            roleRows(roles, {
              nowMs: reader.nowMs,
              cells: ({ version, threshold, keyIds }) => [
                `v${version}`,
                `${threshold} of ${counted(keyIds.length, 'key')}`,
              ],
            }),
          ),
        ];
        const json = {
          ...counts,
          proved,
          roles: roles.map(({ keyIds, ...role }) => ({ ...role, key_ids: keyIds })),
        };
        write(output, { json, lines }, options);
      } finally {
        progress.end();
      }
    });
}

export function registerGc(program: Command, output: Output): void {
  addStoreOptions(program.command('gc'))
    .description('remove files that nothing refers to any more')
    .option('--dry-run', 'only say what would go')
    .addOption(
      new Option(
        '--keep-superseded <number>',
        'versions of metadata that stay for readers (default: 8)',
      ).argParser(countOption),
    )
    .addHelpText(
      'after',
      `
Only what was verified and is superseded, or was left by an interrupted publish, is removed. Files that are no part of
a store are named and left alone. Needs no key.

Examples:
  $ tidegate gc --dry-run
  $ tidegate gc`,
    )
    .action(async (options: GcOptions) => {
      const { removed, removedBytes, keptFiles, unknown, dryRun } = await withPublisher(
        options,
        output,
        (publisher) =>
          collectGarbage({
            ...publisher,
            dryRun: options.dryRun === true,
            ...(options.keepSuperseded !== undefined && { keepSuperseded: options.keepSuperseded }),
          }),
      );
      const verb = dryRun ? 'Would remove' : 'Removed';
      const lines = [
        ...columns(removed.map(({ path, bytes }) => [`  ${path}`, sizeText(bytes)])),
        removed.length === 0
          ? `Nothing to remove; ${counted(keptFiles, 'file')} in use`
          : `${verb} ${counted(removed.length, 'file')}, ${sizeText(removedBytes)}; ${counted(keptFiles, 'file')} in use`,
        ...unknown.map((path) => `Not part of a store and left alone: ${path}`),
      ];
      const json = {
        removed,
        removed_bytes: removedBytes,
        kept_files: keptFiles,
        unknown,
        dry_run: dryRun,
      };
      write(output, { json, lines }, options);
    });
}
