/** The table of legal moves, exhaustively: what is not in it is illegal. */
import { expect, test } from 'vitest';
import { entryStages, mayBeDeployed, mayMove, stages } from '../../../registry-store/manifest/stage.ts';

const legal = new Set([
  'training -> staged',
  'training -> archived',
  'staged -> production',
  'staged -> training',
  'staged -> archived',
  'production -> staged',
  'production -> archived',
  'archived -> staged',
]);

test.each(stages.flatMap((from) => stages.map((to) => [from, to] as const)))('%s -> %s', (from, to) => {
  expect(mayMove(from, to)).toBe(legal.has(`${from} -> ${to}`));
});

test('only what is staged or in production takes traffic', () => {
  expect(stages.filter(mayBeDeployed)).toEqual(['staged', 'production']);
});

test('every version can be archived and come back, from wherever it starts', () => {
  for (const entry of entryStages) expect(mayMove(entry, 'archived')).toBe(true);
  expect(mayMove('archived', 'staged')).toBe(true);
});
