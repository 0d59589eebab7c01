/** How many runs at once the cores have room for. */
import { expect, it } from 'vitest';
import { runsAtOnce } from '../../../runtime/pool/core-room.ts';

it.each([
  { cores: 4, intraOpThreads: 1, runs: 4 },
  { cores: 4, intraOpThreads: 3, runs: 1 },
  { cores: 8, intraOpThreads: 2, runs: 4 },
  { cores: 1, intraOpThreads: 2, runs: 1 },
  { cores: 0, intraOpThreads: 1, runs: 1 },
])('$cores cores have room for $runs runs of $intraOpThreads threads', ({ runs, ...room }) => {
  expect(runsAtOnce(room)).toBe(runs);
});
