/**
 * Where a request carries the key that rollouts divide by. Sources are asked in order, the first that has a key wins; an
 * empty value is no key, because all who have none would share one bucket.
 */

export type KeySource =
  | {
      readonly kind: 'header' | 'cookie' | 'query';
      /** Of a header in lower case, others as written. */
      readonly name: string;
    }
  /** Of the client's end of the connection; callers behind one proxy or one router share it. */
  | { readonly kind: 'address' };

/** What a request says, as the transport hands it out; '' for what is not there. */
export interface KeyLookup {
  header(name: string): string;
  query(name: string): string;
  address(): string;
}

/** `header:x-user-id`, `cookie:uid`, `query:user` or `address`; undefined for anything else. */
export function parseKeySource(text: string): KeySource | undefined {
  if (text === 'address') return { kind: 'address' };
  const [, kind, name] = /^(header|cookie|query):([A-Za-z0-9_.-]{1,100})$/.exec(text) ?? [];
  if (name === undefined) return undefined;
  if (kind === 'header') return { kind, name: name.toLowerCase() };
  return kind === 'cookie' ? { kind, name } : { kind: 'query', name };
}

/** As it was parsed from. */
export function sourceText(source: KeySource): string {
  return source.kind === 'address' ? 'address' : `${source.kind}:${source.name}`;
}

export function findKey(sources: readonly KeySource[], lookup: KeyLookup): string | undefined {
  for (const source of sources) {
    const key = valueOf(source, lookup);
    if (key !== '') return key;
  }
  return undefined;
}

function valueOf(source: KeySource, lookup: KeyLookup): string {
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
