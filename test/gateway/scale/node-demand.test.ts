/** How many nodes the work of one is for, and how many replicas a share of the traffic needs. */
import { expect, it } from 'vitest';
import { desiredNodes } from '../../../gateway/scale/node-demand.ts';
import { replicasForShare } from '../../../gateway/scale/shift-demand.ts';

it.each([
  { threadWork: 0, inlineShare: 0, nodes: 0 },
  { threadWork: 2.8, inlineShare: 0, nodes: 1 },
  { threadWork: 8.4, inlineShare: 0.1, nodes: 3 },
  { threadWork: 0.1, inlineShare: 0.35, nodes: 0.5 },
])('work for $threadWork replicas of 4 and $inlineShare of the loop is for $nodes nodes', (work) => {
  expect(desiredNodes({ ...work, threads: 4 }, 0.7)).toBeCloseTo(work.nodes);
});

it.each([
  { share: 0.1, demand: 0.4, placed: 1, replicas: 1 },
  { share: 0.5, demand: 6.2, placed: 4, replicas: 4 },
  { share: 1, demand: 0.4, placed: 4, replicas: 4 },
  { share: 1, demand: 5.1, placed: 4, replicas: 6 },
  { share: 0, demand: 5.1, placed: 4, replicas: 0 },
])('$share of work for $demand, on $placed now, needs $replicas', ({ replicas, ...shift }) => {
  expect(replicasForShare(shift)).toBe(replicas);
});
