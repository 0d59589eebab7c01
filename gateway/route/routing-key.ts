/**
 * Where a request carries the key that rollouts divide by. Sources are asked in order, the first that has a key wins; an
 * empty value is no key, because all who have none would share one bucket.
 */
import { parseJsonPointer } from './json-pointer.ts';

/** In the head of a request, or known with it. */
export type HeadKeySource =
  | {
      readonly kind: 'header' | 'cookie' | 'query';
      /** Of a header in lower case, others as written. */
      readonly name: string;
    }
  /** Of the client's end of the connection; callers behind one proxy or one router share it. */
  | { readonly kind: 'address' };

export type KeySource =
  | HeadKeySource
  /** In a JSON body that is read on the event loop. The pointer as written, and the names that it leads through. */
  | { readonly kind: 'body'; readonly pointer: string; readonly path: readonly string[] };

/** The sources in their order, cut at those of the body, which is there only after the head. */
export interface KeyPlan {
  readonly before: readonly HeadKeySource[];
  readonly inBody: readonly (readonly string[])[];
  readonly after: readonly HeadKeySource[];
}

/** What a request says, as the transport hands it out; '' for what is not there. */
export interface KeyLookup {
  header(name: string): string;
  query(name: string): string;
  address(): string;
}

/** `header:x-user-id`, `cookie:uid`, `query:user`, `body:/user/id` or `address`; undefined for anything else. */
export function parseKeySource(text: string): KeySource | undefined {
  if (text === 'address') return { kind: 'address' };
  if (text.startsWith('body:')) {
    const pointer = text.slice('body:'.length);
    const path = parseJsonPointer(pointer);
    return path === undefined ? undefined : { kind: 'body', pointer, path };
  }
  const [, kind, name] = /^(header|cookie|query):([A-Za-z0-9_.-]{1,100})$/.exec(text) ?? [];
  if (name === undefined) return undefined;
  if (kind === 'header') return { kind, name: name.toLowerCase() };
  return kind === 'cookie' ? { kind, name } : { kind: 'query', name };
}

/** As it was parsed from. */
export function sourceText(source: KeySource): string {
  switch (source.kind) {
    case 'address':
      return 'address';
    case 'body':
      return `body:${source.pointer}`;
    case 'header':
    case 'cookie':
    case 'query':
      return `${source.kind}:${source.name}`;
  }
}

/** Undefined when sources of the body stand apart: then they cannot be asked in this order without reading it twice. */
export function planKeys(sources: readonly KeySource[]): KeyPlan | undefined {
  const first = sources.findIndex(isInBody);
  if (first === -1) return { before: sources.filter(isInHead), inBody: [], after: [] };
  const last = sources.findLastIndex(isInBody);
  const between = sources.slice(first, last + 1).filter(isInBody);
  if (between.length !== last + 1 - first) return undefined;
  return {
    before: sources.slice(0, first).filter(isInHead),
    inBody: between.map(({ path }) => path),
    after: sources.slice(last + 1).filter(isInHead),
  };
}

function isInBody(source: KeySource): source is Extract<KeySource, { kind: 'body' }> {
  return source.kind === 'body';
}

function isInHead(source: KeySource): source is HeadKeySource {
  return source.kind !== 'body';
}

export function findKey(sources: readonly HeadKeySource[], lookup: KeyLookup): string | undefined {
  for (const source of sources) {
    const key = valueOf(source, lookup);
    if (key !== '') return key;
  }
  return undefined;
}

function valueOf(source: HeadKeySource, lookup: KeyLookup): string {
  switch (source.kind) {
    case 'header':
      return lookup.header(source.name);
    case 'query':
      return lookup.query(source.name);
    case 'cookie':
      return cookieValue(lookup.header('cookie'), source.name);
    case 'address':
      return lookup.address();
  }
}

/** RFC 6265 section 4.2: pairs between semicolons, a value may stand in double quotes. The first of a name counts. */
function cookieValue(header: string, name: string): string {
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=');
    if (equals === -1 || pair.slice(0, equals).trim() !== name) continue;
    return pair
      .slice(equals + 1)
      .trim()
      .replace(/^"(.*)"$/, '$1');
  }
  return '';
}
