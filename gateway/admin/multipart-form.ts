/** The parts of a multipart/form-data body (RFC 7578), strictly: a form that is cut off or spelled otherwise is none. */

export interface FormPart {
  readonly name: string;
  /** A view into the body. */
  readonly bytes: Uint8Array;
}

const headerBytesMax = 4096;
const lineEnd = Buffer.from('\r\n');
const headerEnd = Buffer.from('\r\n\r\n');

/** Undefined when it is no form of at most `partsMax` parts. */
export function readForm(
  body: Uint8Array,
  contentType: string,
  partsMax: number,
): readonly FormPart[] | undefined {
  const boundary = boundaryOf(contentType);
  if (boundary === undefined) return undefined;
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const delimiter = Buffer.from(`\r\n--${boundary}`);
  // The first one may stand at the very beginning, where no line ends before it.
  const opening = delimiter.subarray(lineEnd.length);
  if (!bytes.subarray(0, opening.length).equals(opening)) return undefined;
  const parts: FormPart[] = [];
  for (let at = opening.length; ;) {
    const mark = bytes.toString('latin1', at, at + 2);
    if (mark === '--') return parts;
    if (mark !== '\r\n' || parts.length === partsMax) return undefined;
    const start = at + lineEnd.length;
    const headersEnd = bytes.subarray(start, start + headerBytesMax).indexOf(headerEnd);
    const end = bytes.indexOf(delimiter, start);
    if (headersEnd === -1 || end < start + headersEnd) return undefined;
    const name = nameOf(bytes.toString('utf8', start, start + headersEnd));
    if (name === undefined) return undefined;
    parts.push({ name, bytes: bytes.subarray(start + headersEnd + headerEnd.length, Math.max(end, start)) });
    at = end + delimiter.length;
  }
}

/** RFC 2046 section 5.1.1. */
function boundaryOf(contentType: string): string | undefined {
  const [, quoted, plain] =
    /;\s*boundary=(?:"([\w'()+,./:=? -]{1,70})"|([\w'()+,./:=?-]{1,70}))\s*(?:;|$)/i.exec(contentType) ?? [];
  return quoted ?? plain;
}

function nameOf(headers: string): string | undefined {
  const disposition = headers
    .split('\r\n')
    .find((line) => /^content-disposition:\s*form-data\s*;/i.test(line));
  return /;\s*name="([^"]{1,100})"/i.exec(disposition ?? '')?.[1];
}
