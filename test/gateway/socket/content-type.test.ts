/** What a header Content-Type says, however it is written. */
import { expect, test } from 'vitest';
import { readContentType } from '../../../gateway/socket/content-type.ts';

test.each([
  ['', '', undefined],
  ['application/json', 'application/json', undefined],
  ['Application/JSON; charset=UTF-8', 'application/json', 'utf-8'],
  ['application/json;charset="Utf-8"', 'application/json', 'utf-8'],
  ['text/plain; format=flowed; CHARSET = utf-16', 'text/plain', 'utf-16'],
  ['multipart/form-data; boundary=charset', 'multipart/form-data', undefined],
  ['application/json; charset=', 'application/json', ''],
] as const)('%j', (header, type, charset) => {
  expect(readContentType(header)).toEqual({ type, charset });
});
