/**
 * A piece of the history as a file: at most 100 events in order. Closed segments never change, the last one is replaced
 * with each event. Serving nodes never read them.
 */
import { type HistoryEvent, eventJson, readEvent } from './change.ts';
import { FieldReader, type Parsed } from './field-reader.ts';

export const eventsPerSegmentMax = 100;
/** A segment is closed early once it is this large, so that the rest of the day does not rewrite one huge event. */
export const segmentBytesFull: number = 256 * 1024;
/** One event may hold the deployments of every model there is. */
export const segmentBytesMax: number = 32 * 1024 * 1024;

const segmentSchema = 1;

export interface HistorySegment {
  /** From 1. */
  readonly number: number;
  readonly events: readonly HistoryEvent[];
}

export function segmentPath(number: number): string {
  return `deployments/history/${String(number).padStart(6, '0')}.json`;
}

export function segmentJson(segment: HistorySegment): Readonly<Record<string, unknown>> {
  return { schema: segmentSchema, segment: segment.number, events: segment.events.map(eventJson) };
}

export function parseSegment(json: unknown, number: number): Parsed<HistorySegment> {
  const where = `segment ${number} of the history`;
  const reader = new FieldReader(json, where);
  reader.integer('schema', { min: segmentSchema, max: segmentSchema });
  reader.integer('segment', { min: number, max: number });
  const events = reader
    .list('events', eventsPerSegmentMax)
    .map((value, index) => readEvent(reader.nest(value, `event ${index} of ${where}`)));
  if (events.length === 0) reader.reject('is empty');
  const inOrder = events.every(({ revision }, index) => revision > (events[index - 1]?.revision ?? 0));
  if (!inOrder) reader.reject('has events out of order');
  return reader.finish({ number, events });
}
