/**
 * JSON Schema 2020-12, which is what OpenAPI 3.1 speaks, as one function: compile a schema, get a check. The validator is
 * that of others on purpose: ours would share our misunderstandings.
 */
import { Ajv2020 } from 'ajv/dist/2020.js';

const validator = new Ajv2020({ strict: false, validateFormats: false });

/** Gives the problems of a value; none when it fits. Throws when the schema itself is wrong. */
export function schemaCheck(schema: object): (value: unknown) => readonly string[] {
  const validate = validator.compile(schema);
  return (value) => {
    if (validate(value)) return [];
    return (validate.errors ?? []).map(({ instancePath, message = '' }) => `${instancePath} ${message}`);
  };
}
