/** Defaults of the command line and how the options bend them. Refusals end the process: suite.test.ts has one. */
import { describe, expect, it } from 'vitest';
import { parseOptions } from '../../bench/options.ts';

describe('the options', () => {
  it('are a run of some minutes when none is given', () => {
    expect(parseOptions([])).toEqual({
      quick: false,
      rounds: 3,
      seconds: 2,
      warmUpSeconds: 1,
      only: [],
      json: undefined,
    });
  });

  it('shrink everything with --quick, except what is given', () => {
    expect(parseOptions(['--quick', '--rounds', '2'])).toMatchObject({
      quick: true,
      rounds: 2,
      seconds: 1,
      warmUpSeconds: 0,
    });
  });

  it('split --only at commas', () => {
    expect(parseOptions(['--only', '256-wrk,loop', '--json', 'out.json'])).toMatchObject({
      only: ['256-wrk', 'loop'],
      json: 'out.json',
    });
  });
});
