/**
 * Reads one line from a terminal without showing it. The terminal is set to raw mode for that long and set back
 * whatever happens, also when Ctrl-C ends it: a shell without echo is a bad surprise.
 */
import { Interrupted } from './interrupt.ts';

export interface Keyboard {
  setRawMode(on: boolean): unknown;
  setEncoding(encoding: 'utf8'): unknown;
  resume(): unknown;
  pause(): unknown;
  on(event: 'data', listener: (text: string) => void): unknown;
  off(event: 'data', listener: (text: string) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
  off(event: 'end', listener: () => void): unknown;
}

const [interrupt, endOfInput, erase, eraseOld, eraseLine] = ['\u0003', '\u0004', '\u007f', '\b', '\u0015'];

export async function readSecret(
  question: string,
  { keyboard, show }: { readonly keyboard: Keyboard; readonly show: (text: string) => unknown },
): Promise<string> {
  // Before the question: whoever answers fast, or pastes, must not see the answer.
  keyboard.setRawMode(true);
  keyboard.setEncoding('utf8');
  try {
    show(question);
    return await readLine(keyboard);
  } finally {
    keyboard.setRawMode(false);
    keyboard.pause();
    show('\n');
  }
}

function readLine(keyboard: Keyboard): Promise<string> {
  return new Promise((resolve, reject) => {
    let typed: readonly string[] = [];
    const settle = (done: () => void): void => {
      keyboard.off('data', take);
      keyboard.off('end', end);
      done();
    };
    const end = (): void => {
      settle(() => {
        reject(new Interrupted());
      });
    };
    const take = (text: string): void => {
      for (const character of text) {
        if (character === '\r' || character === '\n') {
          settle(() => {
            resolve(typed.join(''));
          });
          return;
        }
        if (character === interrupt || (character === endOfInput && typed.length === 0)) {
          end();
          return;
        }
        typed = typedAfter(typed, character);
      }
    };
    keyboard.on('data', take);
    keyboard.on('end', end);
    keyboard.resume();
  });
}

function typedAfter(typed: readonly string[], character: string): readonly string[] {
  if (character === erase || character === eraseOld) return typed.slice(0, -1);
  if (character === eraseLine) return [];
  // Arrow keys and the like are not part of a passphrase that anybody could type again.
  return character < ' ' ? typed : [...typed, character];
}
