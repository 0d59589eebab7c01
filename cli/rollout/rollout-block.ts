/**
 * One rollout in words and bars: a block of lines, each of which fits. Pure: the time and the width are given. Colours only
 * underline what the words say, so that nothing is lost without them.
 */
import type { RolloutArm, RolloutState } from '../../gateway/main.ts';
import type { Paint, Style } from '../terminal/live-screen.ts';
import { hanging, wrapped } from '../terminal/paragraph.ts';
import { durationText, secondText } from '../text/moment.ts';
import type { EndedRollout, Fate } from './watched-rollouts.ts';

export interface Canvas {
  /** Columns that may be used, at least 20. */
  readonly width: number;
  readonly paint: Paint;
  readonly nowMs: number;
}

const [barWidthMin, barWidthMax] = [5, 30];
const labelWidth = 12;

export function rolloutBlock(state: RolloutState, canvas: Canvas): readonly string[] {
  const { step, judge } = state;
  const { word, style, hint } = phaseWords(state);
  return [
    ...titleOf(state, canvas),
    ...field('state', `${word}${hint === '' ? '' : `: ${hint}`}`, canvas, { word, style }),
    ...trafficLines(state, canvas),
    ...(step === undefined ? [] : stepLines(state, step, canvas)),
    ...(judge === undefined ? [] : judgeLines(judge, canvas)),
  ];
}

/** What is left to say of one that is not on any more. */
export function endedBlock({ state, fate, reason }: EndedRollout, canvas: Canvas): readonly string[] {
  const word = fateWords[fate];
  const style = fate === 'completed' ? 'green' : fate === 'rolled_back' ? 'red' : 'yellow';
  return [...titleOf(state, canvas), ...field('outcome', `${word}: ${reason}`, canvas, { word, style })];
}

export const fateWords: Readonly<Record<Fate, string>> = {
  completed: 'completed',
  rolled_back: 'rolled back',
  superseded: 'superseded',
  ended: 'ended',
  gone: 'gone',
};

export function titleOf(
  { model, stable, candidate, strategy }: RolloutState,
  canvas: Canvas,
): readonly string[] {
  const title = `${model} ${stable} -> ${candidate} (${wordsOf(strategy)})`;
  return wrapped(title, canvas.width).map((line) => canvas.paint('bold', line));
}

/** `awaiting_approval` as people write it. */
export function wordsOf(name: string): string {
  return name.replaceAll('_', ' ');
}

interface PhaseWords {
  readonly word: string;
  readonly style: Style;
  readonly hint: string;
}

function phaseWords(state: RolloutState): PhaseWords {
  const { phase, model, candidate, stable, judge } = state;
  const word = wordsOf(phase);
  switch (phase) {
    case 'running':
      return { word, style: 'green', hint: '' };
    case 'paused':
      return {
        word,
        style: 'yellow',
        hint:
          isFlip(state) || judge?.verdict === 'pause' ? 'by the judge' : `until "tidegate resume ${model}"`,
      };
    case 'awaiting_approval':
      return { word, style: 'yellow', hint: `"tidegate approve ${model}" lets it go on` };
    case 'bake':
      return { word, style: 'green', hint: bakeHint(state) };
    case 'preview':
      return { word, style: 'cyan', hint: `requests that name ${candidate} get it, no others` };
    case 'complete':
      return { word, style: 'green', hint: `"tidegate promote ${model}" makes ${candidate} live` };
    case 'rolled_back':
      return { word, style: 'red', hint: `${stable} takes all requests again` };
    default:
      phase satisfies never;
      // A newer gateway may know more phases.
      return { word, style: 'yellow', hint: '' };
  }
}

/** All requests go to one of the two, before the flip or after. */
function isFlip({ strategy }: RolloutState): boolean {
  return strategy === 'blue_green' || strategy === 'promoted';
}

function bakeHint(state: RolloutState): string {
  if (!isFlip(state)) return 'the last step is looked at for a while';
  return `${state.candidate} takes all requests and is watched, ${state.stable} is kept`;
}

function trafficLines(
  { strategy, traffic_percent: percent }: RolloutState,
  canvas: Canvas,
): readonly string[] {
  const share = `${percent}%${strategy === 'shadow' ? ' copied' : ''}`;
  const room = Math.min(barWidthMax, canvas.width - labelWidth - share.length - 3);
  if (room < barWidthMin) return field('traffic', share, canvas);
  const filled = '#'.repeat(filledOf(percent, room));
  const bar = `[${filled}${'-'.repeat(room - filled.length)}]`;
  return field('traffic', `${bar} ${share}`, canvas, { word: filled, style: 'cyan' });
}

/** Any share at all is seen, and only all of it fills the bar. */
function filledOf(percent: number, room: number): number {
  if (percent <= 0) return 0;
  if (percent >= 100) return room;
  return Math.min(room - 1, Math.max(1, Math.round((percent / 100) * room)));
}

type Step = NonNullable<RolloutState['step']>;

function stepLines(state: RolloutState, step: Step, canvas: Canvas): readonly string[] {
  const { number, percents, since } = step;
  if (isFlip(state)) {
    const left = state.phase === 'complete' ? '' : flipHoldText(step, canvas.nowMs);
    return field('since', `${secondText(since)}${left}`, canvas);
  }
  const marked = percents.map((percent, index) => (index === number - 1 ? `[${percent}%]` : `${percent}%`));
  const place = `step ${number} of ${percents.length} since ${secondText(since)}`;
  return [
    ...field('steps', marked.join(' > '), canvas, { word: marked[number - 1] ?? '', style: 'bold' }),
    ...field('', `${place}${holdText(state, step, canvas.nowMs)}`, canvas),
  ];
}

function flipHoldText({ since, hold_ms: holdMs }: Step, nowMs: number): string {
  return holdMs === undefined ? '' : leftText(Date.parse(since) + holdMs - nowMs);
}

function leftText(leftMs: number): string {
  return leftMs > 0 ? `, ${durationText(leftMs)} left` : ', held; waits for the judge';
}

function holdText(
  { phase }: RolloutState,
  { number, percents, since, hold_ms: holdMs }: Step,
  nowMs: number,
): string {
  if (phase === 'complete' || phase === 'rolled_back' || number === percents.length) return '';
  if (phase === 'paused') return ', its clock stands still';
  if (holdMs === undefined) return ', until it is approved';
  return leftText(Date.parse(since) + holdMs - nowMs);
}

const verdictStyles: Readonly<Record<string, Style>> = {
  healthy: 'green',
  promote: 'green',
  hold: 'yellow',
  pause: 'yellow',
  rollback: 'red',
};

/** What was counted of both versions, and what the judge says of it. */
export function judgeLines(
  { verdict, reason, candidate, stable, candidate_callers: callers }: NonNullable<RolloutState['judge']>,
  canvas: Canvas,
): readonly string[] {
  const style = verdictStyles[verdict] ?? 'yellow';
  return [
    ...field('candidate', `${armText(candidate)}, ${counted(callers, 'caller')}`, canvas),
    ...field('stable', armText(stable), canvas),
    ...field('judge', `${verdict}: ${reason}`, canvas, { word: verdict, style }),
  ];
}

function armText({ requests, failed, not_finite: notFinite, crashed }: RolloutArm): string {
  const rate = requests === 0 ? '' : ` (${((failed / requests) * 100).toFixed(2)}%)`;
  return [
    counted(requests, 'request'),
    `${grouped(failed)} failed${rate}`,
    ...(notFinite === 0 ? [] : [`${grouped(notFinite)} not finite`]),
    ...(crashed === 0 ? [] : [`${grouped(crashed)} crashed`]),
  ].join(', ');
}

function counted(count: number, noun: string): string {
  return `${grouped(count)} ${noun}${count === 1 ? '' : 's'}`;
}

function grouped(count: number): string {
  return count.toLocaleString('en-US');
}

/** The label, and the text beside it; `word` is where the text first has it, and is painted. */
function field(
  label: string,
  text: string,
  { width, paint }: Canvas,
  { word, style }: { readonly word: string; readonly style: Style } = { word: '', style: 'bold' },
): readonly string[] {
  const lines = hanging(`  ${label}`.padEnd(labelWidth), text, width);
  const painted = word === '' ? -1 : lines.findIndex((line) => line.includes(word, labelWidth));
  return lines.map((line, index) => {
    if (index !== painted) return line;
    const start = line.indexOf(word, labelWidth);
    const end = start + word.length;
    return `${line.slice(0, start)}${paint(style, word)}${line.slice(end)}`;
  });
}
