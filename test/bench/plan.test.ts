/** What is measured with which options, and the order in a round. */
import { describe, expect, it } from 'vitest';
import { planRound, type PlanOptions, rotated } from '../../bench/plan.ts';

const everything: PlanOptions = { wrkInstalled: true, quick: false, only: [] };
const ids = (options: Partial<PlanOptions>): readonly string[] =>
  planRound({ ...everything, ...options }).series.map(({ id }) => id);

describe('the plan of a round', () => {
  it('has capacity from both generators and latency from wrk', () => {
    expect(ids({})).toEqual([
      'json-1-wrk',
      'json-64-wrk',
      'json-256-wrk',
      'json-64-autocannon',
      'json-256-autocannon',
      'stream-1x256',
      'stream-4x64',
    ]);
  });

  it('takes latency from autocannon where there is no wrk', () => {
    expect(ids({ wrkInstalled: false })).toEqual([
      'json-1-autocannon',
      'json-64-autocannon',
      'json-256-autocannon',
      'stream-1x256',
      'stream-4x64',
    ]);
  });

  it('touches every generator and every peer when it is quick', () => {
    const { series, loopBatches } = planRound({ ...everything, quick: true });
    expect(new Set(series.map(({ generator }) => generator))).toEqual(
      new Set(['wrk', 'autocannon', 'stream']),
    );
    expect(new Set(series.flatMap(({ peers }) => peers))).toEqual(
      new Set(['gateway', 'bare-uws', 'fastify-ort']),
    );
    expect(loopBatches).toContain(1);
  });

  it('keeps what one of the parts names, and the loop only when it is named', () => {
    expect(ids({ only: ['256-wrk', 'stream'] })).toEqual(['json-256-wrk', 'stream-1x256', 'stream-4x64']);
    expect(planRound({ ...everything, only: ['stream'] }).loopBatches).toEqual([]);
    expect(planRound({ ...everything, only: ['loop'] })).toEqual({
      series: [],
      loopBatches: [1, 8, 32, 128],
    });
  });
});

describe('rotation', () => {
  it.each([
    [0, ['a', 'b', 'c']],
    [1, ['b', 'c', 'a']],
    [2, ['c', 'a', 'b']],
    [3, ['a', 'b', 'c']],
  ])('starts round %i with %j', (round, expected) => {
    expect(rotated(['a', 'b', 'c'], round)).toEqual(expected);
  });

  it('of nothing is nothing', () => {
    expect(rotated([], 3)).toEqual([]);
  });
});
