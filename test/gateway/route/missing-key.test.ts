/** What a caller without a key is told where it has to have one. */
import { expect, test } from 'vitest';
import { missingKeyRefusal } from '../../../gateway/route/missing-key.ts';

test('the refusal names every place where a key is looked for', () => {
  const refusal = missingKeyRefusal([
    { kind: 'header', name: 'x-user-id' },
    { kind: 'cookie', name: 'uid' },
  ]);
  expect(refusal).toMatchObject({ ok: false, code: 'MISSING_ROUTING_KEY' });
  expect(refusal.message).toContain('as header:x-user-id, cookie:uid;');
});
