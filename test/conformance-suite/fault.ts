/** What the faulty server can do wrong, one thing at a time, and what it can do differently and still right. */
export type Fault =
  | 'unknown-model-is-500'
  | 'error-without-reason'
  | 'error-as-text'
  | 'bad-json-is-500'
  | 'rounds-int64'
  | 'swaps-bytes'
  | 'ignores-outputs'
  | 'drops-id'
  | 'makes-up-inputs'
  | 'answers-for-another-version'
  | 'raw-answer-too-long'
  | 'ready-hangs'
  | 'resets-on-depth'
  | 'dies-of-a-header'
  | 'metadata-without-version'
  | 'shape-as-text'
  | 'counts-nothing'
  | 'index-with-numbers'
  | 'content-type-of-text'
  | 'bytes-through-text'
  | 'infer-is-500'
  | 'infer-hangs';

/** What other servers do and say, and the suite has to accept. */
export type Habit = 'of-triton' | 'of-kserve';
