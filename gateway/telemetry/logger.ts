/** Structured logs: one JSON object a line on standard error, so that standard output stays for people. */
import { pino, type Logger } from 'pino';
import type { LogLevel } from './log-level.ts';

export type { Logger } from 'pino';

export function createLogger(level: LogLevel): Logger {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  return pino(options, pino.destination({ fd: 2, sync: true }));
}
