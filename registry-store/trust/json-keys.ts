/**
 * JSON in which one object has a key twice means different things to different readers: the first, the last, or both.
 * Metadata of our own stores is canonical and cannot; metadata of other repositories is looked through here.
 */
import { type Checked, passed, refused } from './check.ts';
import { readJsonText } from './json-text.ts';

/** A string with the colon that makes it a key, or a bracket. */
const token = /("(?:[^"\\]|\\.)*")(\s*:)?|[{}[\]]/g;

/** The value of a JSON text in UTF-8 of which no object has a key twice. */
export function parseUnambiguousJson(bytes: Uint8Array, name: string): Checked<unknown> {
  const json = readJsonText(bytes);
  if (json === undefined) return refused('metadata-form', `${name} is not JSON in UTF-8.`);
  const key = findKeyTwice(json.text);
  if (key === undefined) return passed(json.value);
  return refused('metadata-form', `${name} has the key ${key.slice(0, 80)} twice in one object.`);
}

/** For a text that is JSON. Keys are compared by what they mean, so an escaped spelling is found too. */
function findKeyTwice(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  for (const [part, spelled, colon] of text.matchAll(token)) {
    if (part === '{') open.push(new Set());
    else if (part === '[') open.push(undefined);
    else if (part === '}' || part === ']') open.pop();
    else if (spelled !== undefined && colon !== undefined) {
      const keys = open.at(-1);
      const key = JSON.parse(spelled) as string;
      if (keys?.has(key) === true) return spelled;
      keys?.add(key);
    }
  }
  return undefined;
}
