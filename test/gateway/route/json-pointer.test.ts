/** Which texts are pointers to a key in a body. */
import { expect, test } from 'vitest';
import { parseJsonPointer } from '../../../gateway/route/json-pointer.ts';

test.each([
  ['/user', ['user']],
  ['/user/id', ['user', 'id']],
  ['/a~1b/~0c/~01', ['a/b', '~c', '~1']],
  ['/ключ', ['ключ']],
  ['/1/2/3/4/5/6/7/8', ['1', '2', '3', '4', '5', '6', '7', '8']],
  ['/1/2/3/4/5/6/7/8/9', undefined],
  [`/${'a'.repeat(200)}`, undefined],
  ['', undefined],
  ['/', undefined],
  ['user', undefined],
  ['/user/', undefined],
  ['//id', undefined],
  ['/a~2', undefined],
  ['/a b', undefined],
])('%j', (text, names) => {
  expect(parseJsonPointer(text)).toEqual(names);
});
