/**
 * The OpenAPI document is sound in itself, and its schemas let in what the gateway sends and keep out what it never does.
 * That they fit the real answers is shown by every end-to-end test (test/e2e/contract.ts).
 */
import { Script } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { openapiDocument } from '../../../gateway/openapi/document.ts';
import { docsPage } from '../../../gateway/openapi/page.ts';
import type { ModelSignature } from '../../../runtime/tensor/signature.ts';
import { schemaCheck } from '../../e2e/json-schema.ts';

const signature: ModelSignature = {
  inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 4] }],
  outputs: [
    { name: 'label', datatype: 'INT64', shape: [-1] },
    { name: 'text', datatype: 'BYTES', shape: [-1] },
  ],
  batching: 'rows',
};
const models = [
  { name: 'iris', version: '2.0.0', signature },
  { name: 'a b/c', version: '1', signature: { ...signature, batching: 'none' as const } },
];
const document = openapiDocument({ name: 'tidegate', version: '1.2.3' }, models) as ApiDocument;

interface ApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
  readonly tags: readonly { readonly name: string }[];
}

interface Operation {
  readonly tags: readonly string[];
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
  readonly responses: Readonly<
    Record<string, { readonly content: Readonly<Record<string, { readonly schema: Schema }>> }>
  >;
}

interface Schema {
  readonly examples?: readonly unknown[];
}

function check(schema: object): (value: unknown) => readonly string[] {
  return schemaCheck({ ...schema, components: document.components });
}

function operation(path: string, verb: string): Operation {
  const found = document.paths[path]?.[verb];
  if (found === undefined) throw new Error(`${verb} ${path} is not described`);
  return found;
}

const jsonOf = (parts: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> }): Schema =>
  parts.content['application/json']?.schema ?? {};

const infer = operation('/v2/models/iris/infer', 'post');
const tensor = { name: 'x', shape: [1, 4], datatype: 'FP32', data: [1, 2, 3, 'NaN'] };

test('every reference, tag and parameter is there', () => {
  const references = JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g);
  const names = new Set([...references].map(([, name]) => name));
  expect(names.size).toBeGreaterThan(20);
  for (const name of names) expect(document.components.schemas).toHaveProperty(name!);
  const tags = new Set(document.tags.map(({ name }) => name));
  for (const [path, verbs] of Object.entries(document.paths)) {
    const wanted = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    for (const described of Object.values(verbs)) {
      const inPath = (described.parameters ?? []).filter(({ in: place }) => place === 'path');
      expect(inPath.map(({ name }) => name)).toEqual(wanted);
      for (const tag of described.tags) expect(tags).toContain(tag);
      expect(Object.keys(described.responses).length).toBeGreaterThan(0);
    }
  }
});

test('every schema compiles', () => {
  for (const schema of Object.values(document.components.schemas)) expect(() => check(schema)).not.toThrow();
});

describe('a model', () => {
  const request = check(jsonOf(infer.requestBody!));
  const answer = check(jsonOf(infer.responses['200']!));

  test('has paths of its own, also with an odd name', () => {
    expect(Object.keys(document.paths)).toContain('/v2/models/a%20b%2Fc/infer');
    expect(Object.keys(document.paths)).toContain('/predict/iris');
  });

  test('takes its own example, and tensors nested or flat', () => {
    for (const path of ['/v2/models/iris/infer', '/predict/iris']) {
      const schema = jsonOf(operation(path, 'post').requestBody!);
      expect(check(schema)(schema.examples?.[0])).toEqual([]);
    }
    expect(request({ inputs: [tensor] })).toEqual([]);
    expect(
      request({ id: 'a', inputs: [{ ...tensor, data: [[1, 2, 3, 4]] }], outputs: [{ name: 'label' }] }),
    ).toEqual([]);
  });

  test.each([
    { what: 'no inputs', value: {} },
    { what: 'another name', value: { inputs: [{ ...tensor, name: 'y' }] } },
    { what: 'another datatype', value: { inputs: [{ ...tensor, datatype: 'FP64' }] } },
    { what: 'another row', value: { inputs: [{ ...tensor, shape: [1, 5] }] } },
    { what: 'another rank', value: { inputs: [{ ...tensor, shape: [4] }] } },
    { what: 'text for numbers', value: { inputs: [{ ...tensor, data: ['1'] }] } },
    { what: 'an unknown output', value: { inputs: [tensor], outputs: [{ name: 'nope' }] } },
  ])('does not take $what', ({ value }) => {
    expect(request(value)).not.toEqual([]);
  });

  test('answers as it is described', () => {
    const outputs = [
      { name: 'label', datatype: 'INT64', shape: [2], data: [1, -2] },
      { name: 'text', datatype: 'BYTES', shape: [2], data: ['a', 'b'] },
    ];
    const good = { model_name: 'iris', model_version: '2.0.0', outputs };
    expect(answer(good)).toEqual([]);
    expect(answer({ ...good, model_name: 'other' })).not.toEqual([]);
    expect(answer({ ...good, outputs: [{ ...outputs[0], data: [1.5] }] })).not.toEqual([]);
    expect(answer({ ...good, outputs: [{ ...outputs[0], datatype: 'INT32' }] })).not.toEqual([]);
  });

  test('fails with a code of the table', () => {
    const error = check(jsonOf(infer.responses['default']!));
    expect(error({ error: 'It is so.', code: 'UNKNOWN_MODEL' })).toEqual([]);
    expect(error({ error: 'It is so.', code: 'OOPS' })).not.toEqual([]);
    expect(error({ error: 'It is so.' })).not.toEqual([]);
  });
});

test('a scalar has the empty shape', () => {
  const scalar: ModelSignature = {
    inputs: [{ name: 'x', datatype: 'BOOL', shape: [] }],
    outputs: [{ name: 'y', datatype: 'BOOL', shape: [] }],
    batching: 'none',
  };
  const api = openapiDocument({ name: 't', version: '1' }, [{ name: 's', version: '1', signature: scalar }]);
  const run = (api as ApiDocument).paths['/v2/models/s/infer']?.['post'];
  const request = check(jsonOf(run!.requestBody!));
  const input = { name: 'x', datatype: 'BOOL', shape: [], data: [true] };
  expect(request({ inputs: [input] })).toEqual([]);
  expect(request({ inputs: [{ ...input, shape: [1] }] })).not.toEqual([]);
});

test('a store of very many models does not make a document without end', () => {
  const many = Array.from({ length: 2000 }, (_, index) => ({ name: `m${index}`, version: '1', signature }));
  expect(JSON.stringify(openapiDocument({ name: 't', version: '1' }, many)).length).toBeLessThan(2_000_000);
});

test('the page for people needs nothing from elsewhere', () => {
  expect(docsPage).not.toMatch(/(?:src|href)="(?!\/)/);
  expect(docsPage).not.toMatch(/https?:\/\/|@import|url\(/);
  expect(docsPage).not.toContain('innerHTML');
  const script = /<script>([\s\S]*)<\/script>/.exec(docsPage)?.[1] ?? '';
  // Throws on a syntax error; it is not run here.
  expect(() => new Script(script)).not.toThrow();
});
