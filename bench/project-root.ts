/** Where the project lies, for the sources and for what is compiled from them. */
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

export const projectRoot: URL = new URL(
  '.',
  pathToFileURL(createRequire(import.meta.url).resolve('#package')),
);
