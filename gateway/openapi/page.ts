/**
 * The human page of the OpenAPI document: one HTML file without any other, so that it works on a network that reaches
 * nothing but this gateway. It reads `/v2/openapi.json` from where it came, shows it, and can send requests.
 * Text from the document is only ever set as text, never as HTML.
 */

/** The page may run its own script and talk to its own gateway, and nothing else. */
export const docsPolicy: string =
  "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'";

const style = `
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --get: #0a7d4f; --post: #1c5fc9; --bad: #c22; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; }
h1 small { font-weight: normal; opacity: .6; }
h2 { border-bottom: 1px solid var(--line); margin-top: 2rem; }
details { border: 1px solid var(--line); border-radius: 6px; margin: .4rem 0; }
summary { cursor: pointer; padding: .5rem .7rem; }
details > div { padding: 0 .7rem .7rem; }
.verb { color: #fff; border-radius: 4px; display: inline-block; font: bold 12px/1.6 monospace; padding: 0 .5em; min-width: 3em; text-align: center; }
.GET { background: var(--get); } .POST { background: var(--post); }
code, pre, textarea, input { font: 13px/1.45 ui-monospace, monospace; }
pre { background: var(--soft); border-radius: 6px; overflow: auto; padding: .6rem; max-height: 30rem; }
textarea { box-sizing: border-box; width: 100%; min-height: 9rem; }
label { display: block; margin: .4rem 0; }
button { font: inherit; padding: .2rem .9rem; }
.bad { color: var(--bad); }
`;

const script = `
'use strict';
const main = document.querySelector('main');
function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
  for (const child of children) node.append(child);
  return node;
}
function pretty(value) { return JSON.stringify(value, null, 2); }
/* Schemas are shown with their references resolved, each at most once on the way down. */
function resolved(api, schema, seen) {
  if (Array.isArray(schema)) return schema.map((item) => resolved(api, item, seen));
  if (schema === null || typeof schema !== 'object') return schema;
  if (typeof schema.$ref === 'string') {
    const name = schema.$ref.split('/').pop();
    if (seen.includes(name)) return name;
    return resolved(api, api.components.schemas[name], [...seen, name]);
  }
  return Object.fromEntries(Object.entries(schema)
    .filter(([key]) => key !== 'examples')
    .map(([key, value]) => [key, resolved(api, value, seen)]));
}
function jsonSchema(holder) {
  const content = holder && holder.content && holder.content['application/json'];
  return content && content.schema;
}
function schemaBlock(title, api, schema) {
  const block = el('details', {}, el('summary', {}, title));
  block.addEventListener('toggle', () => {
    if (block.open && block.children.length === 1) block.append(el('div', {}, el('pre', {}, pretty(resolved(api, schema, [])))));
  });
  return block;
}
function tryIt(path, verb, operation) {
  const form = el('form', {});
  const fields = new Map();
  for (const { name } of operation.parameters || []) {
    const input = el('input', { name, placeholder: name, required: '' });
    fields.set(name, input);
    form.append(el('label', {}, name + ' ', input));
  }
  const schema = jsonSchema(operation.requestBody);
  let body;
  if (schema) {
    const example = schema.examples && schema.examples[0];
    body = el('textarea', { 'aria-label': 'body', spellcheck: 'false' });
    body.value = example ? JSON.stringify(example) : '';
    form.append(body);
  }
  const out = el('pre', {});
  out.hidden = true;
  form.append(el('button', {}, 'Send'), out);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    out.hidden = false;
    out.textContent = '...';
    const address = path.replace(/\\{(\\w+)\\}/g, (_, name) => encodeURIComponent(fields.get(name).value));
    const startedMs = performance.now();
    try {
      const answer = await fetch(address, { method: verb, ...(body && body.value ? { body: body.value, headers: { 'content-type': 'application/json' } } : {}) });
      const text = await answer.text();
      let shown = text;
      try { shown = pretty(JSON.parse(text)); } catch {}
      out.className = answer.ok ? '' : 'bad';
      out.textContent = verb + ' ' + address + ' -> ' + answer.status + ' in ' + Math.round(performance.now() - startedMs) + ' ms\\n' + shown.slice(0, 200000);
    } catch (error) {
      out.className = 'bad';
      out.textContent = String(error);
    }
  });
  return form;
}
function operationBlock(api, path, verb, operation) {
  const title = el('summary', {}, el('span', { class: 'verb ' + verb }, verb), ' ', el('code', {}, path), ' ', operation.summary || '');
  const block = el('details', {}, title);
  block.addEventListener('toggle', () => {
    if (!block.open || block.children.length > 1) return;
    const inside = el('div', {});
    const request = jsonSchema(operation.requestBody);
    if (request) inside.append(schemaBlock('Request', api, request));
    for (const [status, response] of Object.entries(operation.responses)) {
      const schema = jsonSchema(response);
      if (schema) inside.append(schemaBlock((status === 'default' ? 'Any other status' : status) + ': ' + response.description, api, schema));
    }
    inside.append(tryIt(path, verb, operation));
    block.append(inside);
  });
  return block;
}
function show(api) {
  document.title = api.info.title;
  main.replaceChildren(el('h1', {}, api.info.title + ' ', el('small', {}, api.info.version)), el('p', {}, api.info.description),
    el('p', {}, el('a', { href: '/v2/openapi.json' }, 'openapi.json'), ' \\u00b7 ', el('a', { href: '/metrics' }, 'metrics')));
  for (const tag of api.tags) {
    main.append(el('h2', {}, tag.name), el('p', {}, tag.description));
    for (const [path, verbs] of Object.entries(api.paths))
      for (const [verb, operation] of Object.entries(verbs))
        if (operation.tags.includes(tag.name)) main.append(operationBlock(api, path, verb.toUpperCase(), operation));
  }
}
fetch('/v2/openapi.json').then((answer) => answer.json()).then(show, (error) => {
  main.replaceChildren(el('p', { class: 'bad' }, 'The description could not be read: ' + error));
});
`;

export const docsPage: string = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>API</title>
<style>${style}</style>
</head>
<body>
<main><p>Reading the description of this gateway...</p></main>
<noscript><p>This page needs JavaScript. The description itself is at <a href="/v2/openapi.json">/v2/openapi.json</a>.</p></noscript>
<script>${script}</script>
</body>
</html>
`;
