/**
 * The one spelling of metadata: canonical JSON as TUF signs it (keys sorted, no spaces, integers only, UTF-8), used
 * for whole files and not only for what is signed. So there is exactly one sequence of bytes for every content, and a
 * changed byte cannot hide in white space, in an escape sequence or in the order of keys.
 */
import { type Checked, passed, refused } from './check.ts';
import { readJsonText } from './json-text.ts';

/** Deeper nesting is refused; TUF metadata with our custom fields needs 9. */
const depthMax = 32;

const encoder = new TextEncoder();

/** Undefined when the value has no canonical form: a fraction, a function, a control character, too much depth. */
export function canonicalJson(value: unknown): Uint8Array | undefined {
  const text = write(value, 0);
  return text === undefined ? undefined : encoder.encode(text);
}

/** The value these bytes spell, if they are its canonical form. */
export function parseCanonicalJson(bytes: Uint8Array, name: string): Checked<unknown> {
  const json = readJsonText(bytes);
  if (json === undefined) return refused('canonical-bytes', `${name} is not JSON in UTF-8.`);
  if (write(json.value, 0) !== json.text)
    return refused('canonical-bytes', `${name} is not in canonical form.`);
  return passed(json.value);
}

function write(value: unknown, depth: number): string | undefined {
  if (typeof value === 'string') return writeText(value);
  if (typeof value === 'boolean' || value === null) return String(value);
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : undefined;
  if (typeof value !== 'object' || depth >= depthMax) return undefined;
  if (Array.isArray(value))
    return join(
      '[',
      value.map((item) => write(item, depth + 1)),
      ']',
    );
  const fields = Object.entries(value)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([key, item]) => {
      const name = writeText(key);
      const content = write(item, depth + 1);
      return name === undefined || content === undefined ? undefined : `${name}:${content}`;
    });
  return join('{', fields, '}');
}

function join(open: string, parts: readonly (string | undefined)[], close: string): string | undefined {
  return parts.includes(undefined) ? undefined : `${open}${parts.join(',')}${close}`;
}

/** TUF escapes only quotes and backslashes. With control characters that would not be JSON, so they have no form. */
function writeText(text: string): string | undefined {
  if (/[\u0000-\u001f\p{Cs}]/u.test(text)) return undefined;
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
