/** Folding a history gives the state, and the difference of two states leads from one to the other. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type HistoryEvent, type StateChange, eventJson } from '../../../registry-store/manifest/change.ts';
import { parseSegment, segmentJson, segmentPath } from '../../../registry-store/manifest/history-segment.ts';
import { parseKeyEvents, withKeyEvent, keyEventsMax } from '../../../registry-store/manifest/key-events.ts';
import { stages } from '../../../registry-store/manifest/stage.ts';
import { diffStates, foldEvents } from '../../../registry-store/manifest/store-state.ts';

const sha256 = 'a'.repeat(64);
const model = fc.constantFrom('iris', 'tulip', 'constructor');
const version = fc.constantFrom('1', '2', '3');

const change: fc.Arbitrary<StateChange> = fc.oneof(
  fc.record({ model, version: fc.option(version) }).map(({ model: name, version: live }) => ({
    kind: 'deployment' as const,
    model: name,
    before: null,
    after: live === null ? null : { model: name, version: live, sha256, strategy: 'all' as const },
  })),
  fc.record({
    kind: fc.constant('stage' as const),
    model,
    version,
    from: fc.constant(null),
    to: fc.option(fc.constantFrom(...stages)),
  }),
  fc.record({
    kind: fc.constant('keys' as const),
    role: fc.constantFrom('models', 'timestamp'),
    added: fc.constant([sha256]),
    removed: fc.constant([]),
    threshold: fc.constant(1),
  }),
);

function history(changes: readonly (readonly StateChange[])[]): readonly HistoryEvent[] {
  return changes.map((list, index) => ({
    revision: index + 1,
    at: '2026-01-01T00:00:00.000Z',
    by: 'Ada',
    why: '',
    action: index === 0 ? 'init' : 'deploy',
    changes: list,
  }));
}

const histories = fc.array(fc.array(change, { maxLength: 4 }), { minLength: 1, maxLength: 12 }).map(history);

test('the difference of two revisions, applied to the first, gives the second', () => {
  fc.assert(
    fc.property(histories, fc.nat(), fc.nat(), (events, left, right) => {
      const [from, to] = [left, right].map((at) => foldEvents(events.slice(0, (at % events.length) + 1)));
      if (from === undefined || to === undefined) return;
      const changes = diffStates(from, to);
      const [event] = history([changes]);
      const after = foldEvents([...toEvents(from), ...(event === undefined ? [] : [event])]);
      expect(diffStates(after, to)).toEqual([]);
      expect(diffStates(to, to)).toEqual([]);
    }),
  );
});

/** A state as the one event that makes it out of nothing. */
function toEvents(state: ReturnType<typeof foldEvents>): readonly HistoryEvent[] {
  const nothing = { revision: 0, deployments: new Map(), stages: new Map() };
  return history([diffStates(nothing, state)]);
}

test('a segment is read back as it was written, with every event in it', () => {
  fc.assert(
    fc.property(histories, (events) => {
      const segment = { number: 3, events };
      const json: unknown = JSON.parse(JSON.stringify(segmentJson(segment)));
      expect(parseSegment(json, 3)).toEqual({ ok: true, value: segment });
      expect(parseSegment(json, 4).ok).toBe(false);
    }),
  );
});

describe('a segment is refused', () => {
  const [one, two] = history([[], []]);
  const json = (events: unknown): object => ({ schema: 1, segment: 1, events });
  test.each([
    ['without events', json([])],
    ['with events out of order', json([two, one].map((event) => event && eventJson(event)))],
    ['with one revision twice', json([one, one].map((event) => event && eventJson(event)))],
    ['with more than a hundred events', json(history(Array.from({ length: 101 }, () => [])).map(eventJson))],
    ['of a newer schema', { ...json([one && eventJson(one)]), schema: 2 }],
    ['with an action nobody takes', json([{ ...(one && eventJson(one)), action: 'bless' }])],
    ['with a change of nothing', json([{ ...(one && eventJson(one)), changes: [{ kind: 'mood' }] }])],
  ])('%s', (_, value) => {
    expect(parseSegment(value, 1).ok).toBe(false);
  });
});

test('a segment has a path of its own', () => {
  expect(segmentPath(12)).toBe('deployments/history/000012.json');
});

test('changes of keys are kept in the order they were made, and the oldest go first', () => {
  const events = history(Array.from({ length: keyEventsMax + 2 }, () => []));
  const content = events.reduce<Readonly<Record<string, unknown>>>(withKeyEvent, {});
  const parsed = parseKeyEvents(JSON.parse(JSON.stringify(content)), 'root');
  expect(parsed.ok && parsed.value.map(({ revision }) => revision)).toEqual(
    events.slice(2).map(({ revision }) => revision),
  );
  expect(parseKeyEvents({}, 'root')).toEqual({ ok: true, value: [] });
  expect(parseKeyEvents({ 'x-tidegate-events': [{}] }, 'root').ok).toBe(false);
});
