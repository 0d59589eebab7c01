/** Options that every command about the store has, with their defaults and environment variables. */
import { userInfo } from 'node:os';
import { type Command, Option } from 'commander';

export interface StoreOptions {
  readonly store: string;
  readonly keys: string;
  readonly json?: true;
}

export function addStoreOptions(command: Command): Command {
  return command
    .addOption(new Option('--store <folder>', 'the store').env('TIDEGATE_STORE').default('.tidegate/store'))
    .addOption(
      new Option('--keys <folder>', 'the signing keys and root.json')
        .env('TIDEGATE_KEYS')
        .default('.tidegate/keys'),
    )
    .option('--json', 'print JSON');
}

/** Who is at the keyboard, for records of who did what; containers may have a user without a name. */
export function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return process.env['USER'] ?? 'unknown';
  }
}
