/**
 * Passphrases whose keys are derived at once, for tests about what is asked when and by whom. What a guess costs is the
 * point of the real derivation, half a second for each key; key-file.test.ts and the tests of single keys pay it.
 */
import crypto, { type ScryptOptions } from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { afterAll, beforeAll } from 'vitest';

/** For the tests of the `describe` that calls it. The files still say what a real derivation would have taken. */
export function useCheapPassphrases(): void {
  const { scrypt } = crypto;
  beforeAll(() => {
    Object.assign(crypto, {
      scrypt: (password: string, salt: Uint8Array, bytes: number, options: ScryptOptions, done: Derived) => {
        scrypt(password, salt, bytes, { ...options, N: 2, p: 1 }, done);
      },
    });
    syncBuiltinESMExports();
  });
  afterAll(() => {
    Object.assign(crypto, { scrypt });
    syncBuiltinESMExports();
  });
}

type Derived = (error: Error | null, key: Buffer) => void;
