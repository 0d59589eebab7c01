/** The version in package.json, the same file for the sources and for dist/. */
import { createRequire } from 'node:module';

export function packageVersion(): string {
  const manifest = createRequire(import.meta.url)('#package') as { readonly version: string };
  return manifest.version;
}
