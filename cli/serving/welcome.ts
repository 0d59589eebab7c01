/** What a person reads once the gateway serves: where it is, what is live, and lines to paste that work. */
import { demoModels } from '../../deploy/demo/demo-models.ts';
import type { StoreSnapshot } from '../../registry-store/main.ts';
import type { TensorSignature } from '../../registry-store/manifest/signature.ts';

export interface WelcomeFacts {
  readonly host: string;
  readonly port: number;
  readonly store: StoreSnapshot;
  readonly failures: ReadonlyMap<string, string>;
}

/** Rows longer than this would bury the line they are meant to show. */
const exampleElementsMax = 32;

export function welcome(facts: WelcomeFacts): string {
  const base = `http://${facts.host.includes(':') ? `[${facts.host}]` : facts.host}:${facts.port}`;
  const lines = [`Tidegate serves ${base}`, ''];
  for (const [model, { version }] of facts.store.deployments) {
    const failure = facts.failures.get(model);
    lines.push(
      failure === undefined ? `  ${model} ${version}` : `  ${model} ${version} is NOT served: ${failure}`,
    );
  }
  if (facts.store.deployments.size === 0) {
    lines.push('  Nothing is deployed yet: tidegate publish, then tidegate deploy.');
  }
  const examples = [...facts.store.deployments.keys()].flatMap((model) => exampleFor(model, { facts, base }));
  if (examples.length > 0) lines.push('', 'Try it from another terminal:', '', ...examples);
  lines.push('', `Metrics: ${base}/metrics   Stop: Ctrl-C`, '');
  return `${lines.join('\n')}\n`;
}

function exampleFor(
  model: string,
  { facts, base }: { readonly facts: WelcomeFacts; readonly base: string },
): string[] {
  const live = facts.store.deployments.get(model)?.version ?? '';
  const [input, ...others] = facts.store.models.get(model)?.get(live)?.signature.inputs ?? [];
  if (input === undefined || others.length > 0 || facts.failures.has(model)) return [];
  const row = exampleRow(model, input);
  if (row === undefined) return [];
  return [
    `  curl -s ${base}/predict/${model} -d '{"features": [[${row.join(', ')}]]}'`,
    `  curl -s ${base}/v2/models/${model}/infer -H 'content-type: application/json' \\`,
    `    -d '{"inputs": [{"name": "${input.name}", "shape": [1, ${row.length}], "datatype": "${input.datatype}", "data": [${row.join(', ')}]}]}'`,
  ];
}

/** A real row where we have one, ones where the model is not ours; none for rows that would not fit a line. */
function exampleRow(model: string, input: TensorSignature): readonly number[] | undefined {
  const [batch, columns, ...rest] = input.shape;
  if (batch !== -1 || columns === undefined || rest.length > 0 || input.datatype === 'BYTES')
    return undefined;
  if (columns < 1 || columns > exampleElementsMax) return undefined;
  const sample = demoModels().find((demo) => demo.name === model)?.sample;
  return sample?.values.length === columns ? sample.values : new Array<number>(columns).fill(1);
}
