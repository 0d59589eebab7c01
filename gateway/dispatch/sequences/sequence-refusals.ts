/** What callers of stateful models are told when a call cannot be taken, and what they can do then. */
import { fail, type WireError } from '../../wire/error-code.ts';
import { quoted } from '../../wire/strict-text.ts';

type SequenceRefusal =
  | 'stateless'
  | 'required'
  | 'tooMany'
  | 'callersOwn'
  | 'tooManyWait'
  | 'interrupted'
  | 'stateUnusable'
  | 'rowsChanged'
  | 'tooLarge';

export const sequenceRefusals: Readonly<Record<SequenceRefusal, WireError>> = {
  /** The model remembers nothing. */
  stateless: fail(
    'UNSUPPORTED_PARAMETER',
    'The parameters sequence_id, sequence_start and sequence_end: this model keeps no state between calls. Send the request without them.',
  ),
  required: fail(
    'SEQUENCE_REQUIRED',
    'This model keeps state between calls. Send the parameter sequence_id, and sequence_start with the first call of a sequence.',
  ),
  tooMany: fail(
    'TOO_MANY_SEQUENCES',
    'No other sequence finds room here now. End those that are done with sequence_end, and start this one again later.',
  ),
  callersOwn: fail(
    'CALLER_LIMIT',
    'This caller has as many sequences open here as one caller may have. End those that are done with sequence_end before starting more.',
  ),
  tooManyWait: fail(
    'CALLER_LIMIT',
    'As many calls of this sequence wait for their turn as may wait. Wait for answers before sending more.',
  ),
  interrupted: fail(
    'SEQUENCE_INTERRUPTED',
    'An earlier call of the sequence was not answered, so this one was not run. Send that one again first, or start again with sequence_start.',
  ),
  stateUnusable: fail(
    'MODEL_FAILED',
    'The model gave a state that it could not take back for the next call. The state is what it was before.',
  ),
  rowsChanged: fail(
    'SHAPE_MISMATCH',
    'The state of this sequence is for another number of rows. Send as many as with sequence_start, or start again.',
  ),
  tooLarge: fail(
    'BODY_TOO_LARGE',
    'A call with state may not have so much JSON. Send the tensors as binary data or msgpack, or in several calls.',
  ),
};

export function sequenceLost(id: string): WireError {
  return fail(
    'SEQUENCE_LOST',
    `No sequence ${quoted(id)} is open here: it was not started, has ended, was silent for too long, its version is gone, ` +
      'or this is another node or a new start of it. Start again with sequence_start.',
  );
}
