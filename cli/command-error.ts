/** What a command could not do or found out, with a code for scripts; what a store says has codes of its own. */

export type CommandErrorCode =
  /** Nothing answers at the address of the gateway, or nothing that could be read. */
  | 'NODE_UNREACHABLE'
  /** Something answers there that is not a Tidegate gateway, or one that is older than this program. */
  | 'NODE_UNKNOWN'
  /** Another process serves with this state folder. */
  | 'STATE_IN_USE'
  /** The rollout that was waited for went back to the live version. */
  | 'ROLLED_BACK'
  /** The rollout that was waited for ended in another way, without having gone through its steps. */
  | 'NOT_COMPLETED'
  /** The model under load refuses the first request, or there is no such model. */
  | 'BENCH_REFUSED'
  /** No request can be made: the signature leaves too much open, or the file of requests is none. */
  | 'BENCH_INPUT'
  /** The library that is to run the models is not installed. */
  | 'ENGINE_MISSING'
  /** It is installed, and cannot be loaded on this machine. */
  | 'ENGINE_UNUSABLE'
  /** Model threads and threads for each of their runs together want more cores than there are. */
  | 'TOO_MANY_THREADS';

export class CommandError extends Error {
  readonly code: CommandErrorCode;

  constructor(code: CommandErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CommandError';
    this.code = code;
  }
}
