/**
 * The lane for large bodies when its thread ends: nobody waits for ever, and the next body finds another thread. That it
 * reads bodies rightly is in test/e2e/large-bodies.test.ts, with the compiled thread.
 */
import { describe, expect, it } from 'vitest';
import { BodyLane } from '../../../../gateway/dispatch/bodies/body-lane.ts';

const signature = { inputs: [], outputs: [], batching: 'rows' } as const;

function laneOf(code: string): { readonly lane: BodyLane; readonly lost: string[] } {
  const lost: string[] = [];
  const lane = new BodyLane({
    threadFile: new URL(`data:text/javascript,${encodeURIComponent(code)}`),
    arena: new SharedArrayBuffer(8),
    onLost: (detail) => lost.push(detail),
  });
  return { lane, lost };
}

function read(lane: BodyLane): ReturnType<BodyLane['read']> {
  const body = new Uint8Array(8);
  return lane.read({ ticket: lane.ticket(), format: 'oip-json', body, jsonBytes: 0, signature });
}

describe('a lane whose thread', () => {
  it.each([
    ['cannot start', 'throw new Error("no")'],
    ['exits', 'process.exit(3)'],
    [
      'fails on a body',
      `import { parentPort } from 'node:worker_threads'; parentPort.on('message', () => { throw new Error('no'); })`,
    ],
  ])('%s answers with nothing, for each body once, and says so', async (_, code) => {
    const { lane, lost } = laneOf(code);
    expect(await Promise.all([read(lane), read(lane)])).toEqual([undefined, undefined]);
    expect(lost).toHaveLength(1);
    expect(await read(lane)).toBeUndefined();
    expect(lost).toHaveLength(2);
    await lane.close();
  });

  it('is silent is answered for when the lane is closed', async () => {
    const { lane, lost } = laneOf(
      `import { parentPort } from 'node:worker_threads'; parentPort.on('message', () => {})`,
    );
    const waiting = read(lane);
    await lane.close();
    expect([await waiting, lost]).toEqual([undefined, []]);
  });
});
