/**
 * The whole picture of a watcher: a headline, a block for each rollout, and the last decisions. Pure. Where the window is
 * too low for all of it, decisions give way first, then blocks, and what gave way is said.
 */
import type { RolloutState } from '../../gateway/main.ts';
import { hanging, wrapped } from '../terminal/paragraph.ts';
import { secondText } from '../text/moment.ts';
import { type Canvas, endedBlock, rolloutBlock, wordsOf } from './rollout-block.ts';
import type { Picture } from './watch-views.ts';
import type { Watched } from './watched-rollouts.ts';

export interface Sight {
  /** Of the gateway. */
  readonly address: string;
  /** The only one that is watched. */
  readonly model: string | undefined;
  readonly watched: Watched;
  /** While the gateway does not answer. */
  readonly silent?: { readonly sinceMs: number; readonly reason: string };
}

export function pictureOf(sight: Sight): Picture {
  const { address, watched, silent } = sight;
  return {
    frame: (canvas, rows) => watchFrame(sight, canvas, rows),
    landmarks: landmarksOf(watched),
    json: watched.report,
    silent: silent === undefined ? [] : [{ address, ...silent }],
  };
}

/** What is worth a block of its own. Requests are counted all the time, and a log that told each would tell nothing. */
export function landmarksOf({ report, ended }: Watched): unknown {
  const ofState = ({
    rollout_id: id,
    phase,
    traffic_percent: percent,
    step,
    judge,
  }: RolloutState): unknown[] => [
    ...[id, phase, percent],
    ...[step?.number, step?.percents, step?.hold_ms, judge?.verdict],
  ];
  return [
    report.rollouts.map(ofState),
    report.decisions.map(({ at, rollout_id: id, decision }) => [at, id, decision]),
    ended.map(({ state }) => state.rollout_id),
  ];
}

/** As many as anybody reads at a glance; `--json` has the others. */
const decisionsMax = 5;
const endedShownMax = 3;

export function watchFrame(sight: Sight, canvas: Canvas, rows: number = Infinity): readonly string[] {
  const { rollouts, decisions } = sight.watched.report;
  const head = headLines(sight, canvas);
  const blocks = [
    ...rollouts.map((state) => rolloutBlock(state, canvas)),
    ...sight.watched.ended.slice(0, endedShownMax).map((ended) => endedBlock(ended, canvas)),
  ].map((lines) => ['', ...lines]);
  const said = decisions.slice(0, decisionsMax).map((decision) => {
    const { at, model, reason } = decision;
    const whose = sight.model === undefined ? `${model} ` : '';
    const text = `${whose}${wordsOf(decision.decision)}: ${reason}`;
    return hanging(`  ${secondText(at)} `, text, canvas.width);
  });

  const [headRows, blockRows] = [head.length, blocks.flat().length];
  if (headRows + blockRows <= rows) {
    return [...head, ...blocks.flat(), ...decisionLines(said, rows - headRows - blockRows, canvas)];
  }
  return [...head, ...blocksWithin(blocks, rows - headRows, canvas)].slice(0, rows);
}

function headLines({ address, model, watched, silent }: Sight, canvas: Canvas): readonly string[] {
  const { width, paint, nowMs } = canvas;
  const what = model === undefined ? 'Rollouts' : `Rollouts of ${model}`;
  const title = wrapped(`${what} at ${address}, ${momentOf(nowMs)}`, width).map((line) => paint('dim', line));
  const trouble =
    silent === undefined
      ? []
      : wrapped(`no answer since ${momentOf(silent.sinceMs)}, trying again (${silent.reason})`, width).map(
          (line) => paint('yellow', line),
        );
  const isNothingOn = watched.report.rollouts.length === 0;
  const nothing = model === undefined ? 'No rollout is on.' : `No rollout of ${model} is on.`;
  return [...title, ...trouble, ...(isNothingOn ? ['', ...wrapped(nothing, width)] : [])];
}

/** The newest that fit, each whole. */
function decisionLines(
  said: readonly (readonly string[])[],
  rows: number,
  { paint }: Canvas,
): readonly string[] {
  const lines: string[] = [];
  for (const decision of said) {
    if (lines.length + decision.length + 2 > rows) break;
    lines.push(...decision);
  }
  return lines.length === 0 ? [] : ['', paint('bold', 'Last decisions'), ...lines];
}

/** The first blocks that fit, and how many do not. One that does not fit alone is cut. */
function blocksWithin(
  blocks: readonly (readonly string[])[],
  rows: number,
  { width }: Canvas,
): readonly string[] {
  const lines: string[] = [];
  let shown = 0;
  for (const block of blocks) {
    if (shown > 0 && lines.length + block.length + 1 > rows) break;
    lines.push(...block);
    shown += 1;
  }
  const hidden = blocks.length - shown;
  if (hidden === 0) return lines;
  const more = `and ${hidden} more: name a model, or make the window higher`;
  return [...lines.slice(0, Math.max(0, rows - 1)), more.slice(0, width)];
}

export function momentOf(ms: number): string {
  return secondText(new Date(ms).toISOString());
}
