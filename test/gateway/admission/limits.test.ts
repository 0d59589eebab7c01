/** Defaults, bounds and the way limits must fit each other. */
import { describe, expect, it } from 'vitest';
import { parseLimits } from '../../../gateway/admission/limits.ts';

describe('parseLimits', () => {
  it('has a default for every limit', () => {
    expect(parseLimits()).toEqual({
      ok: true,
      value: {
        callerRowsMax: 0,
        callerBytesMax: 0,
        requestRowsMax: 1024,
        requestBytesMax: 67_108_864,
        bodyBytesMax: 67_108_864,
        inflatedBytesMax: 67_108_864,
        receivingBytesMax: 536_870_912,
        inlineJsonBytesMax: 65_536,
        headerBytesMax: 16_384,
        frameBytesMax: 16_777_216,
        connectionBacklogBytesMax: 16_777_216,
        connectionInflightMax: 1024,
        queueRowsMax: 65_536,
        queueBytesMax: 268_435_456,
        batchRowsMax: 64,
        sequencesMax: 1024,
        callerSequencesMax: 128,
        sequenceBytesMax: 67_108_864,
        sequenceWaitingMax: 16,
        sequenceIdleMsMax: 60_000,
        coldRowsMax: 4096,
        coldBytesMax: 64 * 1024 * 1024,
        coldWaitMsMax: 30_000,
        modelIdleMsMax: 600_000,
        modelChurnMsMin: 300_000,
        websocketIdleMsMax: 120_000,
        runMsMax: 10_000,
        loadMsMax: 300_000,
        loadBehindMsMax: 2000,
        spareMsMax: 30_000,
        shadowBusyPercentMax: 10,
        threadLossesMax: 5,
        threadMemoryBytesMax: 1024 * 1024 * 1024,
        processSilentMsMax: 10_000,
        shutdownLingerMs: 500,
        shutdownGraceMs: 10_000,
      },
    });
  });

  it('takes what is given and fills in the rest', () => {
    const parsed = parseLimits({ batchRowsMax: 1, shutdownGraceMs: 0, bodyBytesMax: undefined });
    expect(parsed).toMatchObject({
      ok: true,
      value: { batchRowsMax: 1, shutdownGraceMs: 0, queueRowsMax: 65_536 },
    });
  });

  it.each<[string, Record<string, unknown>, string]>([
    [
      'a limit that does not exist',
      { batchRows: 1 },
      'There is no limit "batchRows"; there are requestRowsMax',
    ],
    ['a name that every object has', { toString: 1 }, 'There is no limit "toString"'],
    ['zero rows a batch', { batchRowsMax: 0 }, 'batchRowsMax must be a whole number from 1 to 65536'],
    ['a fraction', { requestRowsMax: 1.5 }, 'requestRowsMax must be a whole number'],
    ['a string', { bodyBytesMax: '64MiB' }, 'bodyBytesMax must be a whole number'],
    ['infinity', { queueRowsMax: Infinity }, 'queueRowsMax must be a whole number'],
    [
      'a request larger than the queue',
      { queueRowsMax: 100 },
      'requestRowsMax (1024) must not be larger than queueRowsMax (100)',
    ],
    [
      'more request bytes than the queue holds',
      { queueBytesMax: 1024 },
      'must not be larger than queueBytesMax (1024)',
    ],
    [
      'a batch larger than the queue',
      { requestRowsMax: 1, queueRowsMax: 10 },
      'batchRowsMax (64) must not be larger',
    ],
  ])('refuses %s', (_, given, problem) => {
    const parsed = parseLimits(given);
    expect(parsed.ok ? [] : parsed.problems).toContainEqual(expect.stringContaining(problem));
  });

  it('names every problem at once', () => {
    const parsed = parseLimits({ batchRowsMax: 0, frameBytesMax: -1, nonsense: true });
    expect(parsed.ok ? 0 : parsed.problems.length).toBe(3);
  });
});
