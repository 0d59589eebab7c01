/** JSON pointers (RFC 6901) to a value in maps within maps. They do not lead into lists. */

/** As far as a person would write one. */
const namesMax = 8;
const lengthMax = 200;

/** The names that `/user/id` leads through; undefined for what is no such pointer. */
export function parseJsonPointer(text: string): readonly string[] | undefined {
  if (text.length > lengthMax || !/^(\/([^~/\s,]|~[01])+)+$/u.test(text)) return undefined;
  const names = text
    .slice(1)
    .split('/')
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
  return names.length <= namesMax ? names : undefined;
}
