/** The JSON body of errors. */
import { describe, expect, it } from 'vitest';
import { ByteWriter } from '../../../gateway/wire/byte-writer.ts';
import { encodeError } from '../../../gateway/wire/error-body.ts';
import { fail } from '../../../gateway/wire/error-code.ts';

describe('error bodies', () => {
  it('carry the message and the stable code, whatever is in the message', () => {
    const writer = new ByteWriter(16);
    encodeError(fail('UNKNOWN_INPUT', 'no "input" called\n😀'), writer);
    const text = Buffer.from(writer.bytes()).toString();
    expect(JSON.parse(text)).toEqual({ error: 'no "input" called\n😀', code: 'UNKNOWN_INPUT' });
  });
});
