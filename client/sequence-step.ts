/**
 * Calls of a sequence (docs/protocol.md, "Sequences"). Each of them moves the state of the model on, so unlike any other call
 * one that may have been run is not made again.
 */
import { TidegateError } from './tidegate-error.ts';
import type { ParameterValue } from './infer-call.ts';

interface WithParameters {
  readonly parameters?: Readonly<Record<string, ParameterValue>> | undefined;
}

/** Proxies say this when the gateway behind them did not answer, whatever it did. */
const unansweredStatuses = new Set([502, 504]);

/** The error, not to be repeated where it leaves open whether a step of a sequence was run. */
export function asStepError(call: WithParameters, error: TidegateError): TidegateError {
  if (!isStep(call) || !mayHaveRun(error)) return error;
  const { code, message, status } = error;
  const advice =
    'It belongs to a sequence and may have been run, so it is not repeated: start the sequence again.';
  return new TidegateError(code, `${message} ${advice}`, { status, isRetryable: false, cause: error });
}

/** 0, empty and false say that there is no sequence. */
function isStep({ parameters }: WithParameters): boolean {
  const id = parameters?.['sequence_id'];
  return id !== undefined && id !== 0 && id !== '' && id !== false;
}

function mayHaveRun({ code, status }: TidegateError): boolean {
  return code === 'CONNECTION_LOST' || (code === 'HTTP_ERROR' && unansweredStatuses.has(status ?? 0));
}
