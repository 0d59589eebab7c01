/** `tidegate history` and `tidegate diff`: what changed, revision by revision or between any two. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { diffRevisions, readHistory } from '../../registry-store/main.ts';
import { changeJson, eventJson } from '../../registry-store/manifest/change.ts';
import { countOption } from '../options/quantity.ts';
import { type ReaderOptions, addReaderOptions, readerOf } from '../options/store-options.ts';
import { type Output, write } from '../output.ts';
import { changeText, historyLines } from '../text/change-text.ts';

interface HistoryOptions extends ReaderOptions {
  readonly limit: number;
  readonly from?: number;
}

const limitDefault = 20;

export function registerHistory(program: Command, output: Output): void {
  addReaderOptions(program.command('history'))
    .description('show who changed what, when and why')
    .argument('[model]', 'only what concerns this model')
    .addOption(
      new Option('--limit <number>', 'only the newest ones').default(limitDefault).argParser(countOption),
    )
    .addOption(new Option('--from <revision>', 'begin at this revision').argParser(revisionOption))
    .addHelpText(
      'after',
      `
Oldest first. The history is signed like everything else and verified before it is shown.

Examples:
  $ tidegate history
  $ tidegate history iris --limit 100
  $ tidegate history --from 120 --json`,
    )
    .action(async (model: string | undefined, options: HistoryOptions) => {
      const events = await readHistory({
        ...readerOf(options),
        limit: options.limit,
        ...(model !== undefined && { model }),
        ...(options.from !== undefined && { fromRevision: options.from }),
      });
      const lines = events.length === 0 ? [emptyText(model, options.from)] : historyLines(events);
      write(output, { json: { events: events.map(eventJson) }, lines }, options);
    });
}

function emptyText(model: string | undefined, fromRevision: number | undefined): string {
  const what = model === undefined ? 'The history has no change' : `The history has no change of ${model}`;
  return fromRevision === undefined ? `${what}.` : `${what} from revision ${fromRevision} on.`;
}

export function registerDiff(program: Command, output: Output): void {
  addReaderOptions(program.command('diff'))
    .description('show what differs between two revisions')
    .argument('<from>', 'a revision', revisionOption)
    .argument('<to>', 'another one', revisionOption)
    .addHelpText(
      'after',
      `
Revisions are the numbers that "tidegate history" shows. Either order will do.

Examples:
  $ tidegate diff 4 9
  $ tidegate diff 9 4 --json`,
    )
    .action(async (from: number, to: number, options: ReaderOptions) => {
      const changes = await diffRevisions({ ...readerOf(options), from, to });
      const lines =
        changes.length === 0 ? [`Revisions ${from} and ${to} are the same.`] : changes.map(changeText);
      write(output, { json: { from, to, changes: changes.map(changeJson) }, lines }, options);
    });
}

export function revisionOption(text: string): number {
  const revision = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(revision) && revision >= 1) return revision;
  throw new InvalidArgumentError('A revision is a whole number from 1.');
}
