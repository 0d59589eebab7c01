/** `tidegate refresh`: keeps the store fresh from a schedule. Says nothing when nothing had to be done, as cron likes it. */
import type { Command } from 'commander';
import { refreshStore } from '../../registry-store/main.ts';
import { type StoreOptions, addStoreOptions, withPublisher } from '../options/store-options.ts';
import { type Output, write } from '../output.ts';
import { type PassphraseOptions, addPassphraseFile } from '../terminal/passphrase.ts';
import { distanceText, momentText } from '../text/moment.ts';

interface RefreshOptions extends StoreOptions, PassphraseOptions {
  readonly all?: true;
}

export function registerRefresh(program: Command, output: Output): void {
  addPassphraseFile(addStoreOptions(program.command('refresh')))
    .description('sign the timestamp anew so that nodes see a fresh store')
    .option('--all', 'also every other role past half of its time, if its key is here')
    .addHelpText(
      'after',
      `
Renews the snapshot too once half its time is spent, and warns of other roles that are past half of theirs. Needs the
keys of timestamp and snapshot only, so a machine may have them. Away from a terminal it prints nothing but warnings.

Examples:
  $ tidegate refresh
  $ tidegate refresh --all --keys ~/.tidegate/keys --keys /media/safe
  $ crontab -l
  17 */6 * * * tidegate refresh --store /srv/models --keys /etc/tidegate/refresh-keys`,
    )
    .action(async (options: RefreshOptions) => {
      const nowMs = Date.now();
      const { revision, renewed, halfSpent } = await withPublisher(options, output, (publisher) =>
        refreshStore({ ...publisher, nowMs, all: options.all === true }),
      );
      if (options.json === true) {
        write(output, { json: { revision, renewed, half_spent: halfSpent }, lines: [] }, options);
        return;
      }
      for (const { role, expires } of halfSpent) {
        const when = `${distanceText(expires, nowMs)} (${expires})`;
        output.err(`warning: ${role} expires ${when}; run this with --all and its key before that\n`);
      }
      if (output.terminal === undefined) return;
      const lines = renewed.map(({ role, expires }) => `Signed ${role} anew, until ${momentText(expires)}`);
      write(output, { json: undefined, lines }, options);
    });
}
