/** What a node says of load and replicas, as JSON Schema: the types of gateway/telemetry/scaling-report.ts in other words. */
import { count, list, object, ref, type Schema, text } from './schemas.ts';

const amount: Schema = { type: 'number', minimum: 0 };

export const scalingSchemas: Readonly<Record<string, Schema>> = {
  ScalingReport: object({
    desired_nodes: {
      ...amount,
      description: 'Nodes like this one that its work is for; it adds up over nodes.',
    },
    utilization: { ...amount, description: 'Work in hand over what all threads should have in hand.' },
    versions: list(ref('VersionScaling')),
  }),
  VersionScaling: object(
    {
      model: text,
      version: text,
      replicas: count,
      rows: { ...amount, description: 'Running or waiting, on average over the last two seconds.' },
      concurrency_target: { ...amount, description: 'Rows that one replica should have in hand.' },
      utilization: { ...amount, description: 'Rows in hand over what its replicas should have in hand.' },
      scaled: {
        ...object({
          desired_replicas: count,
          min_replicas: count,
          max_replicas: count,
          decision: { ...text, description: 'In words, with the numbers.' },
        }),
        description: 'Absent where the load does not decide.',
      },
    },
    ['concurrency_target', 'scaled'],
  ),
};
