/** The reports for programs: well-formed whatever a server sends, and of a shape that does not change by itself. */
import { expect, test } from 'vitest';
import { schemaCheck } from '../e2e/json-schema.ts';
import { jsonReport } from '../conformance/report/json.ts';
import { junitReport } from '../conformance/report/junit.ts';
import type { RunReport } from '../conformance/report/run-report.ts';

const nasty = 'a "quoted" <tag> & \u0000\u0008\u001b[31m ]]> \ud800 \u{1f600} gr\u00fc\u00dfe\nline';
const base = { title: nasty, clause: nasty, durationMs: 12 };
const report: RunReport = {
  url: 'http://localhost:8080/?a=1&b="2"',
  serverName: nasty,
  extensions: ['binary_tensor_data'],
  models: ['iris'],
  startedAt: '2026-01-01T00:00:00.000Z',
  durationMs: 1234,
  isInterrupted: false,
  results: [
    { ...base, id: 'a.passed', level: 'core', verdict: { kind: 'passed' } },
    { ...base, id: 'b.skipped', level: 'extension', verdict: { kind: 'skipped', reason: nasty } },
    {
      ...base,
      id: 'c.failed',
      level: 'core',
      verdict: { kind: 'failed', sent: nasty, expected: nasty, received: nasty },
    },
  ],
};

/** Throws where a reader of XML would: the small part of it that JUnit files use. Gives elements in order of their ends. */
function readXml(text: string): readonly {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly text: string;
}[] {
  if (/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u.test(text))
    throw new Error('a character that XML cannot hold');
  const found: { name: string; attributes: Map<string, string>; text: string }[] = [];
  const open: typeof found = [];
  const rest = text.replace(/^<\?xml version="1\.0" encoding="UTF-8"\?>\n/, '');
  const token = /<\/(\w+)>|<(\w+)((?:\s+\w+="[^"<]*")*)\s*(\/?)>|([^<]+)/gy;
  let at = 0;
  while (at < rest.length) {
    token.lastIndex = at;
    const match = token.exec(rest);
    if (match === null) throw new Error(`not well-formed at ${rest.slice(at, at + 40)}`);
    at = token.lastIndex;
    const [, closing, opening, attributes = '', isEmpty, content] = match;
    if (content !== undefined) {
      const last = open.at(-1);
      if (last === undefined && content.trim() !== '') throw new Error('text outside of the document');
      if (last !== undefined) last.text += unescaped(content);
    } else if (closing !== undefined) {
      const last = open.pop();
      if (last?.name !== closing) throw new Error(`</${closing}> closes ${last?.name ?? 'nothing'}`);
      found.push(last);
    } else {
      const pairs = [...attributes.matchAll(/(\w+)="([^"]*)"/g)].map(
        ([, name = '', value = '']) => [name, unescaped(value)] as const,
      );
      const element = { name: opening ?? '', attributes: new Map(pairs), text: '' };
      if (isEmpty === '/') found.push(element);
      else open.push(element);
    }
  }
  if (open.length > 0) throw new Error('an element that is not closed');
  return found;
}

function unescaped(text: string): string {
  const named = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
  const characters: Readonly<Record<string, string>> = { ...named, '#10': '\n', '#13': '\r', '#9': '\t' };
  return text.replace(/&(#?\w*;?)/g, (_whole, entity: string) => {
    const character = characters[entity.slice(0, -1)];
    if (character === undefined || !entity.endsWith(';')) throw new Error(`&${entity} is no entity`);
    return character;
  });
}

/** What is left of a text that XML cannot hold as it is. */
const held = nasty.replace('\u0000\u0008\u001b', '\ufffd\ufffd\ufffd').replace('\ud800', '\ufffd');

test('the JUnit report is well-formed and says everything', () => {
  const elements = readXml(junitReport(report));
  expect(elements.map(({ name }) => name)).toEqual([
    ...['testcase', 'failure', 'testcase', 'testsuite'],
    ...['skipped', 'testcase', 'testsuite', 'testsuites'],
  ]);
  const failure = elements.find(({ name }) => name === 'failure');
  expect(failure?.text).toBe(`sent: ${held}\nexpected: ${held}\nclause: ${held}\nreceived: ${held}`);
  expect(elements.find(({ name }) => name === 'skipped')?.attributes.get('message')).toBe(held);
  const suite = elements.find(({ name }) => name === 'testsuite')?.attributes;
  expect(Object.fromEntries(suite ?? [])).toEqual({
    ...{ name: 'core', tests: '2', failures: '1', errors: '0', skipped: '0', time: '0.024' },
    timestamp: '2026-01-01T00:00:00.000Z',
  });
});

test('a line break in an attribute would become a space, so it is written as a reference', () => {
  expect(junitReport(report)).not.toMatch(/="[^"]*\n[^"]*"/);
});

test('the JSON report has its shape', () => {
  const text = { type: 'string' };
  const whole = { type: 'integer', minimum: 0 };
  const object = (properties: Record<string, object>, optional: readonly string[] = []): object => ({
    ...{ type: 'object', properties, additionalProperties: false },
    required: Object.keys(properties).filter((name) => !optional.includes(name)),
  });
  const details = ['reason', 'sent', 'expected', 'received'];
  const check = object(
    {
      ...{ id: text, title: text, clause: text, durationMs: whole },
      level: { enum: ['core', 'extension', 'robustness'] },
      outcome: { enum: ['passed', 'failed', 'skipped'] },
      ...Object.fromEntries(details.map((name) => [name, text])),
    },
    details,
  );
  const problems = schemaCheck(
    object({
      format: { const: 1 },
      ...{
        url: text,
        serverName: text,
        startedAt: text,
        durationMs: whole,
        interrupted: { type: 'boolean' },
      },
      ...{ extensions: { type: 'array', items: text }, models: { type: 'array', items: text } },
      counts: object({ passed: whole, failed: whole, skipped: whole }),
      checks: { type: 'array', items: check },
    }),
  );
  const written: unknown = JSON.parse(jsonReport(report));
  expect(problems(written)).toEqual([]);
  expect(written).toMatchObject({
    counts: { passed: 1, failed: 1, skipped: 1 },
    checks: [
      { id: 'a.passed', outcome: 'passed' },
      { outcome: 'skipped', reason: nasty },
      { outcome: 'failed', sent: nasty },
    ],
  });
});
