/** What is said about a name that is not there: what is, and when the list is not all of it. */
import { expect, test } from 'vitest';
import { findModel } from '../../../registry-store/lifecycle/find-version.ts';
import type { StoreSnapshot } from '../../../registry-store/main.ts';

function messageFor(count: number): string {
  const models = new Map(Array.from({ length: count }, (_, index) => [`m${index}`, new Map()]));
  try {
    findModel({ models } as unknown as StoreSnapshot, 'nosuch');
  } catch (error) {
    return error instanceof Error ? error.message : '';
  }
  return 'found';
}

test('a model that is not there names those that are, or how many more there are', () => {
  expect(messageFor(0)).toMatch(/no model "nosuch"\. Publish one first\.$/);
  expect(messageFor(12)).toMatch(/It has: m0, m1, .*, m11\.$/);
  expect(messageFor(23)).toMatch(/It has: m3, .*, m22 and 3 more\.$/);
});
