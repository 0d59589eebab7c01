/**
 * Several gateways in one picture: for each rollout a line for each of them, and what they counted together. Pure. Where the
 * window is too low, the last rollouts give way.
 */
import type { RolloutState } from '../../gateway/main.ts';
import { withoutEvidence } from '../../gateway/telemetry/rollout-report.ts';
import { hanging, wrapped } from '../terminal/paragraph.ts';
import { type FleetRollout, fleetRollouts, type Together } from './fleet-rollouts.ts';
import { type Canvas, judgeLines, titleOf, wordsOf } from './rollout-block.ts';
import { landmarksOf, momentOf, type Sight } from './watch-frame.ts';
import type { Picture } from './watch-views.ts';

export function fleetPicture(sights: readonly Sight[], nowMs: number): Picture {
  const answering = sights.filter(({ silent }) => silent === undefined);
  const rollouts = fleetRollouts(
    answering.map(({ address, watched }) => ({ node: address, report: watched.report })),
    nowMs,
  );
  return {
    frame: (canvas, rows = Infinity) => fleetFrame(sights, rollouts, canvas).slice(0, rows),
    landmarks: [
      sights.map(({ watched }) => landmarksOf(watched)),
      rollouts.map(({ together }) => together?.judge.verdict),
    ],
    json: {
      nodes: answering.map(({ address, watched }) => ({
        node: address,
        ...withoutEvidence(watched.report),
      })),
      together: rollouts.flatMap(({ states: [first], together }) =>
        first === undefined || together === undefined
          ? []
          : [{ model: first.state.model, rollout_id: first.state.rollout_id, ...together }],
      ),
    },
    silent: sights.flatMap(({ address, silent }) => (silent === undefined ? [] : [{ address, ...silent }])),
  };
}

function fleetFrame(
  sights: readonly Sight[],
  rollouts: readonly FleetRollout[],
  canvas: Canvas,
): readonly string[] {
  const { width, paint, nowMs } = canvas;
  const model = sights[0]?.model;
  const title = `Rollouts${model === undefined ? '' : ` of ${model}`} at ${sights.length} gateways, ${momentOf(nowMs)}`;
  const silent = sights.flatMap(({ address, silent: silence }) => {
    if (silence === undefined) return [];
    const text = `${address}: no answer since ${momentOf(silence.sinceMs)}, trying again (${silence.reason})`;
    return wrapped(text, width).map((line) => paint('yellow', line));
  });
  return [
    ...wrapped(title, width).map((line) => paint('dim', line)),
    ...silent,
    ...(rollouts.length === 0 ? ['', 'No rollout is on.'] : []),
    ...rollouts.flatMap((rollout) => ['', ...fleetBlock(rollout, sights, canvas)]),
  ];
}

function fleetBlock(
  { states, together }: FleetRollout,
  sights: readonly Sight[],
  canvas: Canvas,
): readonly string[] {
  const [first] = states;
  if (first === undefined) return [];
  const known = new Map(states.map(({ node, state }) => [node, state]));
  const nodes = sights
    .filter(({ silent }) => silent === undefined)
    .flatMap(({ address }) => {
      const state = known.get(address);
      const text = state === undefined ? 'not on here' : stateText(state);
      return hanging(`  ${address}  `, text, canvas.width);
    });
  return [...titleOf(first.state, canvas), ...nodes, ...togetherLines(together, canvas)];
}

function stateText({ phase, traffic_percent: percent, step, judge }: RolloutState): string {
  const place = step === undefined ? '' : `, step ${step.number} of ${step.percents.length}`;
  const said = judge === undefined ? '' : `; ${judge.verdict}: ${judge.reason}`;
  return `${percent}%, ${wordsOf(phase)}${place}${said}`;
}

function togetherLines(together: Together | undefined, canvas: Canvas): readonly string[] {
  if (together === undefined) {
    return hanging(
      '  together  ',
      'no verdict: fewer than two of them gave counts that add up',
      canvas.width,
    );
  }
  return [`  what ${together.nodes} of them counted together:`, ...judgeLines(together.judge, canvas)];
}
