/**
 * How strong the evidence against a candidate is, over all metrics with the same consequence, and which of them carries
 * it. The evidence of several metrics is their weighted mean, which is evidence however they depend on each other.
 */
import { logEvidence, logEvidenceFewer, logEvidenceNotWorse, logMean } from './arm-evidence.ts';
import { type JudgeOptions, type MetricName, metricNames, type Role } from './judge-options.ts';
import type { JudgeSnapshot } from './judge-snapshot.ts';
import type { ChannelCounts } from './metric-counts.ts';

export interface Finding {
  readonly metric: MetricName;
  /** The kind of event of that metric with the most evidence. */
  readonly channel: number;
}

export interface RoleEvidence {
  /** Logarithm of the e-value against "the candidate is within what is tolerated in all metrics of this role". */
  readonly log: number;
  /** What carries most of it; undefined without a metric of the role. */
  readonly leading: Finding | undefined;
}

export function roleEvidence(snapshot: JudgeSnapshot, options: JudgeOptions, role: Role): RoleEvidence {
  const names = metricNames.filter((name) => options.metrics[name].role === role);
  const weightSum = names.reduce((sum, name) => sum + options.metrics[name].weight, 0);
  let leading: Finding | undefined;
  let leadingLog = -Infinity;
  const logs = names.map((metric) => {
    const { weight, tolerated } = options.metrics[metric];
    const channelLogs = snapshot.metrics[metric].channels.map((counts) =>
      channelLog(metric, counts, tolerated),
    );
    const log = Math.log((weight * names.length) / weightSum) + logMean(channelLogs);
    if (log > leadingLog) {
      leadingLog = log;
      leading = { metric, channel: channelLogs.indexOf(Math.max(...channelLogs)) };
    }
    return log;
  });
  return { log: logMean(logs), leading };
}

/**
 * Logarithm of the e-value against "the candidate is worse by `promoteTolerated` in some way that would make it go back".
 * It must be shown of each: the least evidence counts. Answers that are not finite are too rare to show it of, and
 * predictions need not be equal.
 */
export function notWorseEvidence(snapshot: JudgeSnapshot, options: JudgeOptions): number {
  const shown: MetricName[] = snapshot.hasLatency ? ['error', 'latency'] : ['error'];
  const logs = shown
    .filter((metric) => options.metrics[metric].role === 'guardrail')
    .flatMap((metric) => snapshot.metrics[metric].channels)
    .map(({ samples }) => logEvidenceNotWorse(samples, options.promoteTolerated));
  return logs.length === 0 ? -Infinity : Math.min(...logs);
}

/** Predictions differ in both directions; of all else less is better. */
function channelLog(metric: MetricName, { events }: ChannelCounts, tolerated: number): number {
  const more = logEvidence(events, tolerated);
  return metric === 'prediction' ? logMean([more, logEvidenceFewer(events, 1 / tolerated)]) : more;
}
