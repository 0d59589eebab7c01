/** When a session that costs threads is no longer run, and for how long. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FaultRecord } from '../../../runtime/pool/fault-record.ts';

const limits = { lossesMax: 3, windowMs: 1000, quarantineMsMin: 500, quarantineMsMax: 1500 };

/** The losses of session 7 at these times; what came of each. */
function lose(record: FaultRecord, ...atMs: readonly number[]): (number | undefined)[] {
  return atMs.map((nowMs) => record.lost(7, nowMs)?.lengthMs);
}

describe('a session', () => {
  it('is quarantined with the loss that is one too many within the window', () => {
    const record = new FaultRecord(limits);
    expect(lose(record, 0, 400, 800)).toEqual([undefined, undefined, 500]);
    expect([799, 800, 1299, 1300].map((nowMs) => record.isQuarantined(7, nowMs))).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect(record.isQuarantined(8, 900)).toBe(false);
  });

  it('is not, when the losses are further apart', () => {
    const record = new FaultRecord(limits);
    expect(lose(record, 0, 500, 1000, 1500, 2000, 2500).every((length) => length === undefined)).toBe(true);
  });

  it('goes back for twice as long with the first loss after it, up to a bound', () => {
    const record = new FaultRecord(limits);
    lose(record, 0, 1, 2);
    expect(lose(record, 502, 1502, 3002)).toEqual([1000, 1500, 1500]);
  });

  it('is trusted again after a window without a loss', () => {
    const record = new FaultRecord(limits);
    lose(record, 0, 1, 2);
    expect(lose(record, 1502, 1503, 1504)).toEqual([undefined, undefined, 500]);
  });

  it('gains nothing and loses nothing by what still ran when it was quarantined', () => {
    const record = new FaultRecord(limits);
    lose(record, 0, 1, 2);
    expect(lose(record, 3, 4, 5)).toEqual([undefined, undefined, undefined]);
    expect(record.isQuarantined(7, 502)).toBe(false);
  });

  it('is forgotten with its model', () => {
    const record = new FaultRecord(limits);
    lose(record, 0, 1, 2);
    record.forget(7);
    expect(record.isQuarantined(7, 3)).toBe(false);
    expect(record.isEmpty).toBe(true);
  });
});

it('with 0 losses allowed nothing is ever quarantined', () => {
  const record = new FaultRecord({ ...limits, lossesMax: 0 });
  expect(lose(record, 0, 0, 0, 0, 0, 0).every((length) => length === undefined)).toBe(true);
});

it('a session is only quarantined after enough losses, and never longer than the bound', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(700), { maxLength: 60 }), (gaps) => {
      const record = new FaultRecord(limits);
      let nowMs = 0;
      let losses = 0;
      for (const gap of gaps) {
        nowMs += gap;
        losses += 1;
        const quarantine = record.lost(7, nowMs);
        if (quarantine === undefined) continue;
        expect(losses).toBeGreaterThanOrEqual(limits.lossesMax);
        expect(quarantine.lengthMs).toBeLessThanOrEqual(limits.quarantineMsMax);
        expect(record.isQuarantined(7, nowMs + quarantine.lengthMs)).toBe(false);
      }
    }),
  );
});
