/**
 * Three ways to show what is watched: drawn in place for a person at a terminal, a block per change for a log, and a line of
 * JSON per change for a program.
 */
import type { RolloutReport, RolloutState } from '../../gateway/main.ts';
import type { Output, Screen } from '../output.ts';
import { colours, LiveScreen, noColours } from '../terminal/live-screen.ts';
import type { Canvas } from './rollout-block.ts';
import { type Sight, watchFrame } from './watch-frame.ts';

export interface WatchView {
  /** After each answer or silence, and at least once a second between. */
  readonly show: (sight: Sight, nowMs: number) => void;
  /** Leaves the terminal as it was. */
  readonly close: () => void;
}

/** Logs have no width of their own. */
const plainWidth = 100;
const widthMin = 20;

export function plainCanvas(nowMs: number): Canvas {
  return { width: plainWidth, paint: noColours, nowMs };
}

export function watchView(output: Output, { isJson }: { readonly isJson: boolean }): WatchView {
  if (isJson) return jsonView(output);
  return output.screen === undefined ? plainView(output) : screenView(output, output.screen);
}

function screenView({ out }: Output, { columns, rows, hasColours }: Screen): WatchView {
  const live = new LiveScreen(out);
  return {
    show: (sight, nowMs) => {
      // The last column stays free: what a terminal does after it differs.
      const width = Math.max(widthMin, columns() - 1);
      const paint = hasColours ? colours : noColours;
      live.draw(watchFrame(sight, { width, paint, nowMs }, rows()));
    },
    close: () => {
      live.close();
    },
  };
}

function plainView({ out }: Output): WatchView {
  let shown: string | undefined;
  return {
    show: (sight, nowMs) => {
      const now = JSON.stringify([sight.silent?.sinceMs, landmarks(sight)]);
      if (now === shown) return;
      out(`${shown === undefined ? '' : '\n'}${watchFrame(sight, plainCanvas(nowMs)).join('\n')}\n`);
      shown = now;
    },
    close: () => undefined,
  };
}

/** What is worth a block of its own. Requests are counted all the time, and a log that told each would tell nothing. */
function landmarks({ watched: { report, ended } }: Sight): unknown {
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

function jsonView({ out, err }: Output): WatchView {
  let shown: string | undefined;
  let silentSinceMs: number | undefined;
  return {
    show: ({ watched: { report }, silent }) => {
      if (silent !== undefined && silent.sinceMs !== silentSinceMs) {
        err(`${JSON.stringify({ error: silent.reason, code: 'NODE_UNREACHABLE' })}\n`);
      }
      silentSinceMs = silent?.sinceMs;
      const now = reportText(report);
      if (now === shown) return;
      out(now);
      shown = now;
    },
    close: () => undefined,
  };
}

function reportText(report: RolloutReport): string {
  return `${JSON.stringify(report)}\n`;
}
