/** A scenario in which something happens beside the load: models that come and go. */
import { deployModel, undeployModel } from '../../registry-store/main.ts';
import type { PhaseReport } from '../load/load-job.ts';
import { type Field, peerNames } from './field.ts';
import { loadOn } from './load-scenarios.ts';
import type { Scenario, ScenarioContext } from './scenario.ts';
import { until, watchedDuring } from './store-changes.ts';

/** Requests per second to the model whose callers are watched. */
const watchedRate = 200;

/** p99 of somebody who asks for iris at a low, even rate. */
async function watched(context: ScenarioContext, seconds: number): Promise<PhaseReport> {
  const port = await context.field.gateway();
  const shape = { kind: 'open', ratePerSecond: watchedRate, arrivals: 'constant', seed: 1 } as const;
  const phases = [{ shape, seconds, startSeconds: 0 }];
  const [report] = await loadOn(context, context.field.model('iris'), { port, phases, connections: 64 });
  if (report === undefined) throw new Error('The load generator reported nothing.');
  return report;
}

/** Numbers of the same watch, undisturbed and disturbed, and their ratio. */
export function compared(calm: PhaseReport, beside: PhaseReport): Readonly<Record<string, number>> {
  const [calmP99, besideP99] = [calm, beside].map(({ numbers }) => numbers['p99_us'] ?? 0);
  return {
    p99_ratio: (besideP99 ?? 0) / Math.max(1, calmP99 ?? 0),
    calm_p99_us: calmP99 ?? 0,
    beside_p99_us: besideP99 ?? 0,
    calm_p50_us: calm.numbers['p50_us'] ?? 0,
    beside_p50_us: beside.numbers['p50_us'] ?? 0,
    failed: (calm.numbers['failed'] ?? 0) + (beside.numbers['failed'] ?? 0),
    refused: (calm.numbers['refused'] ?? 0) + (beside.numbers['refused'] ?? 0),
  };
}

export const reload: Scenario = {
  name: 'reload',
  title: `Models that come and go: iris at ${watchedRate}/s, calm, and while mlp is undeployed and deployed`,
  headline: ['p99_ratio', 'calm_p99_us', 'beside_p99_us'],
  run: async (context) => {
    const { field, seconds, changes, progress } = context;
    const port = await field.gateway();
    progress('reload: calm');
    const calm = await watched(context, seconds);
    progress(`reload: while another model is undeployed and deployed ${changes} times`);
    const startMs = performance.now();
    const changing = changeModels(field, { port, changes });
    const parts = await watchedDuring(() => watched(context, seconds), changing);
    // The worst window counts: most of the time nothing changes.
    const p99 = ({ numbers }: PhaseReport): number => numbers['p99_us'] ?? 0;
    const worst = parts.reduce((left, right) => (p99(right) > p99(left) ? right : left));
    const numbers = {
      ...compared(calm, worst),
      failed: parts.reduce((sum, part) => sum + (part.numbers['failed'] ?? 0), 0),
      changes: 2 * changes,
      seconds: (performance.now() - startMs) / 1000,
    };
    const problems = [calm, ...parts].flatMap((part) => part.problems);
    return [{ load: 'iris beside changes of mlp', peer: peerNames.gateway, numbers, problems }];
  },
};

async function changeModels(
  field: Field,
  { port, changes }: { readonly port: number; readonly changes: number },
): Promise<void> {
  const { name: model, version } = field.model('mlp');
  for (let change = 0; change < changes; change++) {
    await undeployModel({ ...field.publisher, model, nowMs: Date.now() });
    await until(async () => !(await isReady(port, model)));
    await deployModel({ ...field.publisher, model, version, nowMs: Date.now() });
    await until(() => isReady(port, model));
  }
}

async function isReady(port: number, model: string): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${port}/v2/models/${model}/ready`);
  await response.arrayBuffer();
  return response.ok;
}
