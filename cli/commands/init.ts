/** `tidegate init`: a new store, a new key for each role, and the root of trust to carry to every node. */
import { type Command, Option } from 'commander';
import { initStore } from '../../registry-store/main.ts';
import { countOption } from '../options/quantity.ts';
import { type ChangeOptions, addChangeOptions, placeText } from '../options/store-options.ts';
import { type Output, write } from '../output.ts';
import { interruptible } from '../terminal/interrupt.ts';
import { isPassphraseGiven, newPassphrase } from '../terminal/passphrase.ts';

interface InitOptions extends ChangeOptions {
  readonly profile: 'local' | 'fleet';
  readonly rootKeys: number;
  readonly rootThreshold: number;
  readonly encrypt?: true;
}

export function registerInit(program: Command, output: Output): void {
  addChangeOptions(program.command('init'))
    .description('make a new store and the keys that sign it')
    .addOption(
      new Option('--profile <profile>', 'how long signatures last: years for one machine, days for a fleet')
        .choices(['local', 'fleet'])
        .default('local'),
    )
    .addOption(
      new Option('--root-keys <number>', 'how many keys the root has').default(1).argParser(countOption),
    )
    .addOption(
      new Option('--root-threshold <number>', 'how many of them must sign a new root')
        .default(1)
        .argParser(countOption),
    )
    .option('--encrypt', 'lock the keys with a passphrase that is asked for')
    .addHelpText(
      'after',
      `
Keep the keys folder away from nodes that only serve; they need nothing but root.json. With --profile fleet run
"tidegate refresh" on a schedule.

Examples:
  $ tidegate init
  $ tidegate init --store /srv/models --keys ~/.tidegate/keys --encrypt
  $ tidegate init --profile fleet --root-keys 3 --root-threshold 2`,
    )
    .action(async (options: InitOptions) => {
      const { store, keys, profile, rootKeys, rootThreshold } = options;
      const isEncrypted = options.encrypt === true || isPassphraseGiven(options);
      // One passphrase for all of them: they lie in one folder until somebody carries them apart.
      let passphrase: Promise<string> | undefined;
      const made = await interruptible((signal) =>
        initStore({
          folder: store,
          keysFolders: keys,
          nowMs: Date.now(),
          actor: options.by,
          ...(options.why !== undefined && { why: options.why }),
          profile,
          rootKeys,
          rootThreshold,
          ...(isEncrypted && {
            passphrase: () => {
              // Locking a key takes half a second each: Ctrl-C is heard in between.
              signal.throwIfAborted();
              return (passphrase ??= newPassphrase(output, options));
            },
          }),
        }),
      );
      const [keysFolder = ''] = keys;
      const json = {
        store,
        keys: keysFolder,
        pinned_root: made.pinnedRootPath,
        profile,
        roles: made.roles,
        key_names: made.keys,
      };
      const lines = [
        `Store   ${store}`,
        `Keys    ${keysFolder}  (${made.keys.join(', ')}; keep them secret and backed up)`,
        `Root    ${made.pinnedRootPath}  (the root of trust: copy it to every node that serves)`,
        '',
        `Next: tidegate publish <model> <file.onnx> --version <version>${placeText(options)}`,
      ];
      write(output, { json, lines }, options);
    });
}
