/**
 * Changes of keys are revisions too, but who may make them need not be able to sign the history: a root key replaces the
 * key of a role whose own key was stolen. So those events stand where the change itself stands, in root or in `targets`,
 * in a field that TUF keeps and does not look at, signed by whoever signed the change.
 */
import { type HistoryEvent, eventJson, readEvent } from './change.ts';
import { FieldReader, type Parsed } from './field-reader.ts';

const keyEventsField = 'x-tidegate-events';
/** The oldest leave first; with one change of keys a week that is ten years. */
export const keyEventsMax = 500;

/** Oldest first. `content` is the signed part of root or of `targets`. */
export function parseKeyEvents(content: unknown, where: string): Parsed<readonly HistoryEvent[]> {
  const reader = new FieldReader(content, where);
  if (!reader.has(keyEventsField)) return { ok: true, value: [] };
  const events = reader
    .list(keyEventsField, keyEventsMax)
    .map((value, index) => readEvent(reader.nest(value, `event ${index} of ${where}`)));
  return reader.finish(events);
}

export function withKeyEvent(
  content: Readonly<Record<string, unknown>>,
  event: HistoryEvent,
): Readonly<Record<string, unknown>> {
  const before = (content[keyEventsField] ?? []) as readonly unknown[];
  return { ...content, [keyEventsField]: [...before, eventJson(event)].slice(-keyEventsMax) };
}
