/**
 * Three ways to show what is watched: drawn in place for a person at a terminal, a block per change for a log, and a line of
 * JSON per change for a program.
 */
import type { Output, Screen } from '../output.ts';
import { colours, LiveScreen, noColours } from '../terminal/live-screen.ts';
import type { Canvas } from './rollout-block.ts';

/** What there is to see, of one gateway or of several. */
export interface Picture {
  readonly frame: (canvas: Canvas, rows?: number) => readonly string[];
  /** Plain data: what must differ to be worth a block of its own in a log. */
  readonly landmarks: unknown;
  readonly json: unknown;
  /** Who does not answer now. */
  readonly silent: readonly Silence[];
}

export interface Silence {
  readonly address: string;
  readonly sinceMs: number;
  readonly reason: string;
}

export interface WatchView {
  /** After each answer or silence, and at least once a second between. */
  readonly show: (picture: Picture, nowMs: number) => void;
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
    show: (picture, nowMs) => {
      // The last column stays free: what a terminal does after it differs.
      const width = Math.max(widthMin, columns() - 1);
      const paint = hasColours ? colours : noColours;
      live.draw(picture.frame({ width, paint, nowMs }, rows()));
    },
    close: () => {
      live.close();
    },
  };
}

function plainView({ out }: Output): WatchView {
  let shown: string | undefined;
  return {
    show: ({ silent, landmarks, frame }, nowMs) => {
      const now = JSON.stringify([silent.map(({ sinceMs }) => sinceMs), landmarks]);
      if (now === shown) return;
      out(`${shown === undefined ? '' : '\n'}${frame(plainCanvas(nowMs)).join('\n')}\n`);
      shown = now;
    },
    close: () => undefined,
  };
}

function jsonView({ out, err }: Output): WatchView {
  let shown: string | undefined;
  /** Since when, by address. */
  let told = new Map<string, number>();
  return {
    show: ({ json, silent }) => {
      for (const { address, sinceMs, reason } of silent) {
        if (told.get(address) === sinceMs) continue;
        err(`${JSON.stringify({ error: reason, code: 'NODE_UNREACHABLE', node: address })}\n`);
      }
      told = new Map(silent.map(({ address, sinceMs }) => [address, sinceMs]));
      const now = `${JSON.stringify(json)}\n`;
      if (now === shown) return;
      out(now);
      shown = now;
    },
    close: () => undefined,
  };
}
