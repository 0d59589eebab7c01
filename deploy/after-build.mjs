/**
 * What every build ends with. `npm run build` compiles into `dist` in place, and then only tsc knows what that is made
 * of: the stamp by which `prepare.mjs` recognises its own work goes.
 */
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** File in `dist`: digest of the sources that it was compiled from. */
export const buildStamp = '.tidegate-built';

/** Makes `npx tidegate` work in the clone, as it does where the package is installed. */
export function linkCommand() {
  mkdirSync('node_modules/.bin', { recursive: true });
  rmSync('node_modules/.bin/tidegate', { force: true });
  symlinkSync('../../dist/bin/tidegate.js', 'node_modules/.bin/tidegate');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.chdir(fileURLToPath(new URL('..', import.meta.url)));
  rmSync(`dist/${buildStamp}`, { force: true });
  linkCommand();
}
