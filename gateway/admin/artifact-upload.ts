/**
 * A version whose artifact is the body: what is said about it comes in the query, in a header with JSON, or as a part
 * of a multipart form. Repeated query parameters are lists: `tag=a&tag=b`, `metric=accuracy=0.97`.
 */
import { type ControlResult, accepted, refuse } from './control-error.ts';
import { type Fields, type RegisterRequest, readRegister } from './control-requests.ts';
import { readForm } from './multipart-form.ts';
import { fieldsOf, readJsonBody } from './request-fields.ts';

/** The header whose value is a JSON object of the same fields as in a JSON body. */
export const metadataHeader = 'x-model-metadata';

export interface ArtifactUpload {
  readonly request: RegisterRequest;
  readonly bytes: Uint8Array;
}

/** `path` is what the path of the request names; otherwise name and version are fields. */
export function readUploadFacts(
  facts: { readonly query: URLSearchParams; readonly header: string },
  path: { readonly name: string; readonly version: string } | undefined,
): ControlResult<RegisterRequest> {
  const fields = new Map<string, unknown>(headerFields(facts.header));
  if (facts.header !== '' && fields.size === 0 && headerFields(facts.header) === undefined) {
    return refuse('INVALID_REQUEST', `The header ${metadataHeader} is not a JSON object.`);
  }
  for (const [name, value] of queryFields(facts.query)) {
    if (fields.has(name)) {
      return refuse('INVALID_REQUEST', `The field '${name}' is given in the query and in ${metadataHeader}.`);
    }
    fields.set(name, value);
  }
  return readRegister(fields, path);
}

/** A form with a part `artifact`, the file, and a part `metadata`, the JSON object. */
export function readMultipart(body: Uint8Array, contentType: string): ControlResult<ArtifactUpload> {
  const parts = readForm(body, contentType, partsMax);
  if (parts === undefined) {
    return refuse('INVALID_REQUEST', 'The body is not a multipart form as its content type says.');
  }
  if (parts.some(({ name }) => name !== 'artifact' && name !== 'metadata')) {
    return refuse('UNKNOWN_FIELD', 'The form has a part that is not known. Known here: metadata, artifact.');
  }
  const file = parts.find(({ name }) => name === 'artifact');
  const metadata = parts.find(({ name }) => name === 'metadata');
  if (parts.length !== 2 || file === undefined || metadata === undefined) {
    return refuse(
      'INVALID_REQUEST',
      'The form needs one part metadata (JSON) and one part artifact (the file).',
    );
  }
  const fields = readJsonBody(metadata.bytes);
  const request = fields.ok ? readRegister(fields.value, undefined) : fields;
  return request.ok ? accepted({ request: request.value, bytes: file.bytes }) : request;
}

/** One more than there may be, so that a part too many can be told from a broken form. */
const partsMax = 3;

function headerFields(header: string): Fields | undefined {
  if (header === '') return undefined;
  try {
    return fieldsOf(JSON.parse(header));
  } catch {
    return undefined;
  }
}

/** With the fields of a query by their names in JSON. A parameter that is there twice and is no list keeps its last value. */
export function queryFields(query: URLSearchParams): Fields {
  const fields = new Map<string, unknown>();
  for (const name of new Set(query.keys())) {
    const values = query.getAll(name);
    if (name === 'tag') fields.set('tags', values);
    else if (name === 'state') fields.set('state', values);
    else if (name === 'metric') fields.set('metrics', metricsOf(values));
    else if (name === 'fixed_batch') fields.set(name, booleanOf(values.at(-1)));
    else fields.set(name, values.at(-1));
  }
  return fields;
}

/** What is neither stays text, so that the reader refuses it by name. */
function booleanOf(value: string | undefined): boolean | string | undefined {
  return value === 'true' || value === 'false' ? value === 'true' : value;
}

/** A metric that is no number stays text, so that the reader refuses it by name. */
function metricsOf(values: readonly string[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    values.map((value) => {
      const at = value.indexOf('=');
      const [name, number] = at === -1 ? [value, ''] : [value.slice(0, at), value.slice(at + 1)];
      return [name, number.trim() === '' ? number : Number(number)];
    }),
  );
}
