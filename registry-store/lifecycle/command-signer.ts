/**
 * A key that a command holds: the bytes to sign go to its standard input, the signature comes from its standard output
 * as hex. That is all a key service, a hardware token or an agent needs to stand behind a role.
 */
import { spawn } from 'node:child_process';
import { StoreError } from '../store-error.ts';
import type { Signer } from './signer.ts';

export interface SigningCommand {
  /** Program and arguments; no shell looks at them. */
  readonly argv: readonly string[];
  /** How long it may take, milliseconds: a token waits for a person to touch it. */
  readonly timeoutMs: number;
}

const outputCharactersMax = 4096;

export function commandSigner(
  key: { readonly keyId: string; readonly publicHex: string; readonly path: string },
  command: SigningCommand,
): Signer {
  const { keyId, publicHex } = key;
  return {
    keyId,
    publicHex,
    sign: async (bytes) => {
      const signature = (await run(command, { bytes, path: key.path })).trim().toLowerCase();
      if (/^[0-9a-f]{128}$/.test(signature)) return signature;
      throw failed(command, key.path, 'did not answer with a signature of 64 bytes in hex');
    },
  };
}

function run(
  command: SigningCommand,
  input: { readonly bytes: Uint8Array; readonly path: string },
): Promise<string> {
  const [program = '', ...rest] = command.argv;
  return new Promise((resolve, reject) => {
    const child = spawn(program, rest, {
      stdio: ['pipe', 'pipe', 'inherit'],
      timeout: command.timeoutMs,
      // A command that does not listen must not hold the lock of the store for ever.
      killSignal: 'SIGKILL',
    });
    let output = '';
    child.stdout.setEncoding('latin1');
    child.stdout.on('data', (text: string) => {
      output += text;
      if (output.length > outputCharactersMax) child.kill('SIGKILL');
    });
    child.once('error', (error) => {
      reject(failed(command, input.path, `cannot be run: ${error.message}`));
    });
    child.once('close', (code, signal) => {
      if (code === 0 && output.length <= outputCharactersMax) resolve(output);
      else reject(failed(command, input.path, `ended with ${signal ?? `code ${code ?? 'unknown'}`}`));
    });
    // A command that ends before it has read everything says why by its exit code.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input.bytes);
  });
}

function failed(command: SigningCommand, path: string, what: string): StoreError {
  const name = command.argv[0] ?? '';
  return new StoreError(
    'KEY_LOCKED',
    `The command ${name} of ${path} ${what}. Nothing was changed; run it by hand.`,
  );
}
