/** Bytes as JSON: the text beside its value, for whoever must look at how it is spelled. */

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Undefined when the bytes are not JSON in UTF-8. */
export function readJsonText(
  bytes: Uint8Array,
): { readonly text: string; readonly value: unknown } | undefined {
  try {
    const text = decoder.decode(bytes);
    return { text, value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}
