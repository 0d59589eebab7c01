/** A passphrase is read key by key, never shown, and the terminal is as it was afterwards. */
import { EventEmitter } from 'node:events';
import { describe, expect, test } from 'vitest';
import { Interrupted } from '../../../cli/terminal/interrupt.ts';
import { type Keyboard, readSecret } from '../../../cli/terminal/read-secret.ts';

class FakeKeyboard extends EventEmitter implements Keyboard {
  readonly calls: string[] = [];

  setRawMode(on: boolean): void {
    this.calls.push(on ? 'raw' : 'cooked');
  }

  setEncoding(): void {
    this.calls.push('utf8');
  }

  resume(): void {
    this.calls.push('resume');
  }

  pause(): void {
    this.calls.push('pause');
  }
}

function ask(keyboard: FakeKeyboard): { readonly answer: Promise<string>; readonly shown: () => string } {
  let shown = '';
  const answer = readSecret('Passphrase: ', { keyboard, show: (text) => (shown += text) });
  return { answer, shown: () => shown };
}

describe('a secret', () => {
  test.each([
    [['hunter2\r'], 'hunter2'],
    [['h', 'u', 'n', '\n'], 'hun'],
    [['wrong\u0015right\r'], 'right'],
    [['ab\u007f\u007fcd\r'], 'cd'],
    [['\u007fx\r'], 'x'],
    [['pässwörd 🔑\r'], 'pässwörd 🔑'],
    [['a\u007f🔑\u007fb\r'], 'b'],
    [['\r'], ''],
  ])('typed as %j', async (typed, secret) => {
    const keyboard = new FakeKeyboard();
    const { answer, shown } = ask(keyboard);
    for (const text of typed) keyboard.emit('data', text);
    expect(await answer).toBe(secret);
    expect(shown()).toBe('Passphrase: \n');
    expect(keyboard.calls).toEqual(['raw', 'utf8', 'resume', 'cooked', 'pause']);
    expect(keyboard.listenerCount('data') + keyboard.listenerCount('end')).toBe(0);
  });

  test.each([['abc\u0003'], ['\u0004']])('given up with %j leaves the terminal as it was', async (typed) => {
    const keyboard = new FakeKeyboard();
    const { answer } = ask(keyboard);
    keyboard.emit('data', typed);
    await expect(answer).rejects.toThrow(Interrupted);
    expect(keyboard.calls.slice(-2)).toEqual(['cooked', 'pause']);
  });

  test('whose keyboard goes away is given up', async () => {
    const keyboard = new FakeKeyboard();
    const { answer } = ask(keyboard);
    keyboard.emit('end');
    await expect(answer).rejects.toThrow(Interrupted);
  });
});
