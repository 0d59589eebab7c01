/** One closed-loop HTTP run: every connection sends its next request when it has the answer to the last one. */
import { numberField, textField } from '../json-field.ts';

export interface HttpLoad {
  readonly url: string;
  /** Sent as a JSON POST. */
  readonly body: string;
  readonly connections: number;
  /** Load before the clock starts; 0 for none. */
  readonly warmUpSeconds: number;
  readonly seconds: number;
}

/** As it crosses to a child, in its arguments. */
export function parseHttpLoad(json: string | undefined): HttpLoad {
  const value: unknown = JSON.parse(json ?? 'null');
  return {
    url: textField(value, 'url'),
    body: textField(value, 'body'),
    connections: numberField(value, 'connections'),
    warmUpSeconds: numberField(value, 'warmUpSeconds'),
    seconds: numberField(value, 'seconds'),
  };
}
