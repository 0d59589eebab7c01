/**
 * Draws frame after frame in the same place: on the terminal's second page, so that nothing scrolls and what was there
 * before is there again afterwards. A frame goes out as one text that overwrites the last one, so that nothing
 * flickers.
 */

const [enter, leave] = ['\u001b[?1049h\u001b[?25l', '\u001b[?25h\u001b[?1049l'];
const [home, eraseLineRest, eraseBelow] = ['\u001b[H', '\u001b[K', '\u001b[J'];

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** The text as the terminal shows it in that style; as wide as before. */
export type Paint = (style: Style, text: string) => string;

const codes: Readonly<Record<Style, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
};

export const colours: Paint = (style, text) => {
  const [on, off] = codes[style];
  return text === '' ? '' : `\u001b[${on}m${text}\u001b[${off}m`;
};

export const noColours: Paint = (_style, text) => text;

export class LiveScreen {
  readonly #out: (text: string) => unknown;
  #last: readonly string[] | undefined;

  constructor(out: (text: string) => unknown) {
    this.#out = out;
  }

  /** Lines that each fit and together fit; a line must leave the last column free. */
  draw(lines: readonly string[]): void {
    const start = this.#last === undefined ? enter : '';
    this.#last = lines;
    const text = lines.map((line) => `${line}${eraseLineRest}`).join('\r\n');
    this.#out(`${start}${home}${text}${eraseBelow}`);
  }

  /** Back on the first page, where the last frame stays. Call it whatever happens. */
  close(): void {
    if (this.#last === undefined) return;
    this.#out(`${leave}${this.#last.join('\n')}\n`);
    this.#last = undefined;
  }
}
