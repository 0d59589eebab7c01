/** `tidegate init`: a new store, a new key for each role, and the root of trust to carry to every node. */
import type { Command } from 'commander';
import { initStore } from '../registry-store/main.ts';
import { type Output, write } from './output.ts';
import { type StoreOptions, addStoreOptions, userName } from './store-options.ts';

export function registerInit(program: Command, output: Output): void {
  addStoreOptions(program.command('init'))
    .description('make a new store and the keys that sign it')
    .addHelpText(
      'after',
      `
Keep the keys folder away from nodes that only serve; they need nothing but root.json.

Examples:
  $ tidegate init
  $ tidegate init --store /srv/models --keys ~/.tidegate/keys`,
    )
    .action(async (options: StoreOptions) => {
      const made = await initStore({
        folder: options.store,
        keysFolder: options.keys,
        nowMs: Date.now(),
        actor: userName(),
      });
      const json = {
        store: options.store,
        keys: options.keys,
        pinned_root: made.pinnedRootPath,
        roles: made.roles,
      };
      const lines = [
        `Store   ${options.store}`,
        `Keys    ${options.keys}  (${made.roles.join(', ')}; keep them secret and backed up)`,
        `Root    ${made.pinnedRootPath}  (the root of trust: copy it to every node that serves)`,
        '',
        'Next: tidegate publish <model> <file.onnx> --version <version>',
      ];
      write(output, { json, lines }, options);
    });
}
