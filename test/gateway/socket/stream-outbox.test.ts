/** Frames on their way out: each to its socket, in order, none lost, none to a socket that is gone. */
import type { WebSocket } from 'uWebSockets.js';
import { describe, expect, it } from 'vitest';
import { type OutboxMember, StreamOutbox } from '../../../gateway/socket/stream-outbox.ts';

/** Notes what it is sent, and whether that was in one go with others. */
class FakeMember implements OutboxMember {
  readonly sent: string[] = [];
  corked = 0;
  flushes = 0;
  isOpen = true;
  firstFrame = -1;
  lastFrame = -1;
  readonly #socket = {
    send: (bytes: Uint8Array, isBinary: boolean, compress: boolean): number => {
      const text = Buffer.from(bytes).toString('latin1');
      this.sent.push(`${isBinary ? 'binary' : 'text'}${compress ? ' compressed' : ''} ${text}`);
      return 1;
    },
    cork: (callback: () => void): void => {
      this.corked += 1;
      callback();
    },
  } as unknown as WebSocket<unknown>;

  get socket(): WebSocket<unknown> | undefined {
    return this.isOpen ? this.#socket : undefined;
  }

  flushed(): void {
    this.flushes += 1;
  }
}

function put(outbox: StreamOutbox, member: FakeMember, text: string, isText = false): void {
  const start = outbox.space.length;
  outbox.space.add(Buffer.from(text));
  outbox.end(member, start, isText);
}

const nothingMore = { compress: false, moreToCome: () => false };

describe('StreamOutbox', () => {
  it('sends what gathered in a turn at its end, socket by socket and in order', async () => {
    const outbox = new StreamOutbox(nothingMore);
    const [one, other] = [new FakeMember(), new FakeMember()];
    put(outbox, one, 'a');
    put(outbox, other, 'b', true);
    put(outbox, one, 'cc');
    expect(one.sent).toEqual([]);
    await Promise.resolve();
    expect(one).toMatchObject({ sent: ['binary a', 'binary cc'], corked: 1, flushes: 1 });
    expect(other).toMatchObject({ sent: ['text b'], corked: 0, flushes: 1 });
  });

  it('waits for more answers of this turn, and not longer', async () => {
    const outbox = new StreamOutbox({ compress: false, moreToCome: () => true });
    const member = new FakeMember();
    put(outbox, member, 'a');
    await Promise.resolve();
    put(outbox, member, 'b');
    expect(member.sent).toEqual([]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(member).toMatchObject({ sent: ['binary a', 'binary b'], flushes: 1 });
  });

  it('does not wait when much has gathered', () => {
    const outbox = new StreamOutbox({ compress: false, moreToCome: () => true });
    const member = new FakeMember();
    for (let frame = 0; frame < 5; frame++) put(outbox, member, String(frame).repeat(20_000));
    expect(member.sent).toHaveLength(4);
    outbox.flush();
    expect(member.sent.map((text) => text.slice(7, 9))).toEqual(['00', '11', '22', '33', '44']);
  });

  it('drops what is for a socket that has closed meanwhile', async () => {
    const outbox = new StreamOutbox(nothingMore);
    const [gone, here] = [new FakeMember(), new FakeMember()];
    put(outbox, gone, 'a');
    put(outbox, here, 'b');
    gone.isOpen = false;
    await Promise.resolve();
    expect(gone.sent).toEqual([]);
    expect(here.sent).toEqual(['binary b']);
    gone.isOpen = true;
    put(outbox, gone, 'c');
    await Promise.resolve();
    expect(gone.sent).toEqual(['binary c']);
  });

  it('sends the right bytes turn after turn, of the same sizes and of others', async () => {
    const outbox = new StreamOutbox(nothingMore);
    const member = new FakeMember();
    const wanted: string[] = [];
    for (const size of [3, 3, 300_000, 3, 5, 5, 3]) {
      for (const letter of ['x', 'y', 'z']) {
        put(outbox, member, letter.repeat(size));
        wanted.push(`binary ${letter.repeat(size)}`);
      }
      await Promise.resolve();
    }
    expect(member.sent.length).toBe(wanted.length);
    expect(member.sent.every((text, index) => text === wanted[index])).toBe(true);
  });

  it('compresses long frames only, and only when told to', async () => {
    for (const compress of [false, true]) {
      const outbox = new StreamOutbox({ compress, moreToCome: () => false });
      const member = new FakeMember();
      put(outbox, member, 'a'.repeat(511));
      put(outbox, member, 'b'.repeat(512));
      await Promise.resolve();
      const marks = member.sent.map((text) => text.includes('compressed'));
      expect(marks).toEqual([false, compress]);
    }
  });
});
