/** How a model is batched and its answers kept, as a request to the control API says it: what is refused, and with what words. */
import { expect, test } from 'vitest';
import { readDeploy, readScale } from '../../../gateway/admin/control-requests.ts';

const fields = (given: object): ReadonlyMap<string, unknown> => new Map(Object.entries(given));

test.each([
  [{ batching: 3 }, /'batching' is not an object/],
  [{ batching: { max_row: 8 } }, /'batching' has no max_row; there are max_rows, allowed_rows/],
  [{ batching: { max_rows: 0 } }, /'batching' cannot be used: .*max_rows that is not between 1 and 65536/],
  [{ batching: { max_run_ms: 50 } }, /'batching' cannot be used: .*max_run_ms that is not between 100 and/],
  [{ batching: { allowed_rows: [8, 1] } }, /'batching' cannot be used: .*not ascending/],
  [{ cache: { enabled: 'yes' } }, /'cache' cannot be used: .*enabled that is not true or false/],
  [{ cache: { ttl: '10m' } }, /'cache' has no ttl; there are enabled, ttl_ms/],
])('%j is refused by name, in a deploy and in a scale', (given, message) => {
  for (const read of [
    readDeploy(fields({ version: '1', ...given }), 'iris'),
    readScale(fields(given), 'iris'),
  ]) {
    expect(read).toMatchObject({ ok: false, code: 'INVALID_REQUEST' });
    expect(JSON.stringify(read)).toMatch(message);
  }
});

test('either of them is enough to scale', () => {
  expect(readScale(fields({ cache: { enabled: false } }), 'iris')).toMatchObject({
    ok: true,
    value: { config: { cache: { enabled: false } } },
  });
  expect(readScale(fields({}), 'iris')).toMatchObject({ ok: false });
});
