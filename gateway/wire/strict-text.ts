/**
 * UTF-8 bytes to text, refusing bytes that are not UTF-8, and the other way: names from clients made fit for messages.
 * This is not a cache of requests: it remembers short ASCII words such as field names, datatypes and model names,
 * because building the same string again for every request costs more than reading the rest of a small one.
 * Invariant: what comes back depends on the bytes alone, whether it was remembered or not.
 */

/** Longer words are rare in field and model names, and would only push the short ones out. */
const rememberedBytesMax = 32;

/** Direct-mapped: a collision costs one more decoding. 1024 words of at most 32 characters are all it ever holds. */
const rememberedWordsMax = 1024;

const remembered: (string | undefined)[] = new Array<string | undefined>(rememberedWordsMax).fill(undefined);

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text in `[start, end)`, or undefined when the bytes are not UTF-8. For text that repeats between requests. */
export function readWord(bytes: Uint8Array, start: number, end: number): string | undefined {
  const length = end - start;
  if (length > rememberedBytesMax) return readText(bytes, start, end);
  let hash = length;
  for (let index = start; index < end; index++) {
    const byte = bytes[index] ?? 0;
    if (byte > 0x7f) return readText(bytes, start, end);
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  const slot = (hash ^ (hash >>> 15)) & (rememberedWordsMax - 1);
  const known = remembered[slot];
  if (known?.length === length && equalsAscii(known, bytes, start)) return known;
  const word = readAscii(bytes, start, end);
  remembered[slot] = word;
  return word;
}

/** The text in `[start, end)`, or undefined when the bytes are not UTF-8. For text that is different every time. */
export function readText(bytes: Uint8Array, start: number, end: number): string | undefined {
  // A call into the decoder costs as much as some forty characters of the loop.
  if (end - start <= 40 && isAscii(bytes, start, end)) return readAscii(bytes, start, end);
  try {
    return decoder.decode(bytes.subarray(start, end));
  } catch {
    return undefined;
  }
}

/**
 * Whether a text can be an element of a BYTES tensor and come back as it went: the runtime ends a string at its first
 * NUL, and a lone surrogate, which JSON escapes can write, has no UTF-8.
 */
export function isElementText(text: string): boolean {
  return !unfitCharacters.test(text);
}

/** With the `u` flag a surrogate only matches when it stands alone. */
const unfitCharacters = /[\0\p{Surrogate}]/u;

/** A name that a client sent, quoted and shortened, so that no message grows with what it complains about. */
export function quoted(name: string): string {
  return JSON.stringify(name.length > 64 ? `${name.slice(0, 64)}...` : name);
}

export function isAscii(bytes: Uint8Array, start: number, end: number): boolean {
  for (let index = start; index < end; index++) {
    if ((bytes[index] ?? 0) > 0x7f) return false;
  }
  return true;
}

function readAscii(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let index = start; index < end; index++) text += String.fromCharCode(bytes[index] ?? 0);
  return text;
}

function equalsAscii(word: string, bytes: Uint8Array, start: number): boolean {
  for (let index = 0; index < word.length; index++) {
    if (word.charCodeAt(index) !== bytes[start + index]) return false;
  }
  return true;
}
