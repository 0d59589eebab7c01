/**
 * The JSON body of every error over HTTP: `error` is what the Open Inference Protocol asks for, `code` is ours and
 * stable. Status codes and headers are not its business; error-code.ts has the table.
 */
import type { ByteWriter } from './byte-writer.ts';
import type { WireError } from './error-code.ts';

export function encodeError(error: WireError, writer: ByteWriter): void {
  writer.ascii('{"error":');
  writer.jsonString(error.message);
  writer.ascii(',"code":"');
  writer.ascii(error.code);
  writer.ascii('"}');
}
