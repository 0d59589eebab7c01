/** What the allocator is told must be there before the process starts, so it is said in two places: both say the same. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { mallocSettings } from '../../../cli/processes/malloc-settings.ts';

test('the first line of the command sets what processes of a supervisor get', () => {
  const settings = Object.entries(mallocSettings).map(([name, value]) => `${name}=${value}`);
  const firstLine = `#!/usr/bin/env -S ${settings.join(' ')} node`;
  // The kernel reads so much of it, at least.
  expect(firstLine.length).toBeLessThan(128);
  for (const file of ['cli/main.ts', 'dist/bin/tidegate.js']) {
    const text = readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8');
    expect(text.slice(0, text.indexOf('\n')), file).toBe(firstLine);
  }
});
