/** The header Content-Type: a type, and the characters of what is text. RFC 9110, 8.3. Pure. */

export interface ContentType {
  /** Lower case, without parameters; empty when there is no header. */
  readonly type: string;
  /** Lower case and without quotes; undefined where none is named. */
  readonly charset: string | undefined;
}

export function readContentType(header: string): ContentType {
  const [type = '', ...parameters] = header.split(';').map((part) => part.trim());
  for (const parameter of parameters) {
    const [, value] = /^charset\s*=\s*(.*)$/i.exec(parameter) ?? [];
    if (value !== undefined) return { type: type.toLowerCase(), charset: unquoted(value).toLowerCase() };
  }
  return { type: type.toLowerCase(), charset: undefined };
}

function unquoted(value: string): string {
  return /^"(.*)"$/.exec(value)?.[1] ?? value;
}
