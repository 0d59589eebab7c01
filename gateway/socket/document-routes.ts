/** The OpenAPI document and its page. The document is made anew when what is live has changed since the last look. */
import type { ModelGeneration } from '../dispatch/model-generation.ts';
import { openapiDocument } from '../openapi/document.ts';
import { docsPage, docsPolicy } from '../openapi/page.ts';
import type { RouteTable } from '../route/route-table.ts';
import type { ServerIdentity } from '../wire/oip-metadata.ts';
import type { RouteRegistry } from './route-registry.ts';

export interface DocumentRoutesOptions {
  readonly registry: RouteRegistry;
  readonly identity: ServerIdentity;
  readonly routes: () => RouteTable<ModelGeneration>;
}

export function addDocumentRoutes({ registry, identity, routes }: DocumentRoutesOptions): void {
  let known: { readonly routes: RouteTable<ModelGeneration>; readonly document: object } | undefined;
  registry.add('get', '/v2/openapi.json', (answer) => {
    const now = routes();
    if (known?.routes !== now) known = { routes: now, document: openapiDocument(identity, liveModels(now)) };
    answer.json(200, known.document);
  });
  for (const path of ['/v2/docs', '/docs']) {
    registry.add('get', path, (answer) => {
      answer.text('text/html; charset=utf-8', docsPage, {
        'content-security-policy': docsPolicy,
        'x-content-type-options': 'nosniff',
      });
    });
  }
}

function liveModels(routes: RouteTable<ModelGeneration>): Parameters<typeof openapiDocument>[1] {
  return [...routes.models.values()].map(({ live }) => ({
    name: live.modelName,
    version: live.modelVersion,
    signature: live.signature,
  }));
}
