/**
 * How far a long step is, as a bar on standard error that is redrawn in place and gone when the step is over. Shown to
 * a person at a terminal only, and only for steps long enough to wonder about.
 */
import { sizeText } from '../options/quantity.ts';
import type { Output } from '../output.ts';

export interface Progress {
  /** `done` of `total`, bytes or things; `total` is undefined as long as it is not known. */
  readonly step: (label: string, done: number, total: number | undefined) => void;
  /** Clears the bar; call it before anything else is printed. */
  readonly end: () => void;
}

const redrawEveryMs = 100;
/** A step that is over sooner needs no bar; one that flashes up is worse than none. */
const appearAfterMs = 300;
const barWidthMax = 30;

const silent: Progress = { step: () => undefined, end: () => undefined };

export function progressFor(
  output: Output,
  options: { readonly json?: true },
  unit: 'bytes' | 'things',
): Progress {
  const { terminal } = output;
  if (terminal === undefined || options.json === true) return silent;
  const count = unit === 'bytes' ? sizeText : String;
  let [drawnMs, drawn] = [Date.now() + appearAfterMs - redrawEveryMs, ''];
  return {
    step: (label, done, total) => {
      const nowMs = Date.now();
      if (nowMs - drawnMs < redrawEveryMs) return;
      const line = barLine({ label, done, total, width: terminal.width(), count });
      output.err(`\r${line.padEnd(drawn.length)}`);
      [drawnMs, drawn] = [nowMs, line];
    },
    end: () => {
      if (drawn !== '') output.err(`\r${' '.repeat(drawn.length)}\r`);
      drawn = '';
    },
  };
}

/** `writing [#########           ]  45%  1.2 GiB of 2.7 GiB`, cut to what fits beside the cursor. */
export function barLine(state: {
  readonly label: string;
  readonly done: number;
  readonly total: number | undefined;
  readonly width: number;
  readonly count: (value: number) => string;
}): string {
  const { label, done, total, width, count } = state;
  if (total === undefined) return `${label} ${count(done)}`.slice(0, width - 1);
  const share = total === 0 ? 1 : Math.min(1, done / total);
  const percent = `${Math.floor(share * 100)}%`.padStart(4);
  const amounts = `${count(done)} of ${count(total)}`;
  const room = Math.min(barWidthMax, width - `${label} [] ${percent}  ${amounts}`.length - 1);
  if (room < 5) return `${label} ${percent}`.slice(0, width - 1);
  return `${label} [${'#'.repeat(Math.round(share * room)).padEnd(room)}] ${percent}  ${amounts}`;
}
