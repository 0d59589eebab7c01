/** How much is logged: a list of its own, which the command line knows before the logger is read from disk. */
export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];
