/** Deployments, changes and events of the history as short lines for people. JSON has everything; these have the gist. */
import type {
  Cohort,
  Deployment,
  DeploymentBatching,
  DeploymentCache,
  DeploymentChange,
  DeploymentResources,
  HistoryEvent,
  StageChange,
  StateChange,
} from '../../registry-store/main.ts';
import { ruleTexts } from '../../registry-store/manifest/cohorts.ts';
import type { FlipPlan } from '../../registry-store/manifest/flip-plan.ts';
import type { ReplicaLimits } from '../../registry-store/manifest/rollout-plan.ts';
import { coresText, counted, shareText, sizeText } from '../options/quantity.ts';
import { columns } from '../output.ts';
import { durationText, momentText } from './moment.ts';
import { pipelinesText } from './pipeline-text.ts';

/** Key ids are 64 hex digits; the first ones tell a handful of keys apart. */
export const shortKeyLength = 12;

/** More changes than this in one event are counted, not listed. */
const changesShownMax = 5;

/** Of a cohort. */
const rulesShownMax = 5;

/** Newest last, as the history is; one line for the event and one for each further change. */
export function historyLines(events: readonly HistoryEvent[]): readonly string[] {
  return columns(events.flatMap(eventRows));
}

function eventRows({ revision, at, by, why, action, changes }: HistoryEvent): readonly (readonly string[])[] {
  const texts = changes.map(changeText);
  const shown = texts.slice(0, changesShownMax);
  if (texts.length > shown.length) shown.push(`and ${texts.length - shown.length} more`);
  const [first = '', ...others] = shown;
  return [
    [String(revision), momentText(at), by, action, first, why],
    ...others.map((text) => ['', '', '', '', text]),
  ];
}

export function changeText(change: StateChange): string {
  switch (change.kind) {
    case 'deployment':
      return deploymentChangeText(change);
    case 'stage':
      return stageChangeText(change);
    case 'keys': {
      const marked = [
        ...change.added.map((keyId) => `+${keyId.slice(0, shortKeyLength)}`),
        ...change.removed.map((keyId) => `-${keyId.slice(0, shortKeyLength)}`),
      ];
      return `${change.role}: ${[...marked, `threshold ${change.threshold}`].join(' ')}`;
    }
  }
}

function stageChangeText({ model, version, from, to }: StageChange): string {
  if (from === null) return `${model} ${version} new, ${to ?? 'unknown'}`;
  return `${model} ${version} ${from} -> ${to ?? 'gone'}`;
}

function deploymentChangeText({ model, before, after }: DeploymentChange): string {
  if (after === null) return `${model} undeployed, was ${before?.version ?? 'not live'}`;
  const parts: string[] = [];
  if (before?.version !== after.version) {
    parts.push(before === null ? `${after.version} live` : `${before.version} -> ${after.version}`);
  }
  const [rolloutBefore, rollout] = [before === null ? '' : rolloutText(before), rolloutText(after)];
  if (rollout !== rolloutBefore) parts.push(rollout === '' ? 'rollout over' : rollout);
  if (before?.previousVersion !== undefined && after.previousVersion === undefined) {
    parts.push(`${before.previousVersion} no longer kept`);
  }
  const [pipelineBefore, pipeline] = [before === null ? '' : pipelinesText(before), pipelinesText(after)];
  if (pipeline !== pipelineBefore) parts.push(pipeline === '' ? 'runs alone' : `runs ${pipeline}`);
  const [resourcesBefore, resources] = [resourcesText(before?.resources), resourcesText(after.resources)];
  if (resources !== resourcesBefore) parts.push(resources === '' ? 'no limits' : resources);
  const [batchesBefore, batches] = [batchingText(before?.batching), batchingText(after.batching)];
  if (batches !== batchesBefore) parts.push(batches === '' ? 'batched as usual' : batches);
  const [cacheBefore, cache] = [cacheText(before?.cache), cacheText(after.cache)];
  if (cache !== cacheBefore) parts.push(cache === '' ? 'answers kept as nodes say' : cache);
  return `${model} ${parts.length === 0 ? after.version : parts.join(', ')}`;
}

/**
 * `canary 2.0.0 at 5%`, `canary 2.0.0 by 1%, 10%, 100%, paused, for key:ada, never for header:x-tier=gold`, or nothing
 * when no rollout is on.
 */
export function rolloutText(deployment: Deployment): string {
  const { candidate, stable } = deployment.cohorts ?? {};
  const { watch } = deployment;
  if (watch !== undefined) return `watched for ${durationText(watch.watchMs)}`;
  return `${wayText(deployment)}${cohortText('for', candidate)}${cohortText('never for', stable)}`;
}

function cohortText(verb: string, cohort: Cohort | undefined): string {
  const rules = cohort === undefined ? [] : ruleTexts(cohort);
  if (rules.length === 0) return '';
  const shown = rules.slice(0, rulesShownMax).join(' ');
  const more = rules.length > rulesShownMax ? ` and ${rules.length - rulesShownMax} more` : '';
  return `, ${verb} ${shown}${more}`;
}

function wayText({ strategy, candidate, trafficBps, others = [], plan, flip }: Deployment): string {
  if (candidate === undefined) return '';
  if (plan !== undefined) {
    const way = plan.steps.map((step) => shareText(step.trafficBps)).join(', ');
    const approved = plan.approvals === 0 ? '' : `, ${counted(plan.approvals, 'approval')}`;
    const paused = plan.paused ? ', paused' : '';
    return `${strategy} ${candidate.version} by ${way}${limitsText(plan.limits)}${approved}${paused}`;
  }
  const share = trafficBps === undefined ? '' : ` at ${shareText(trafficBps)}`;
  const beside = others.map((arm) => `, ${arm.version} at ${shareText(arm.trafficBps)}`).join('');
  return `${strategy.replace('_', '/')} ${candidate.version}${share}${beside}${flipText(flip)}`;
}

/** `, at most 0 replicas more and 1 fewer on the way` */
function limitsText(limits: ReplicaLimits | undefined): string {
  if (limits === undefined) return '';
  return `, at most ${counted(limits.surge, 'replica')} more and ${limits.unavailable} fewer on the way`;
}

/** `, flips by itself after 10m and 20 requests, watched for 1h` */
function flipText(flip: FlipPlan | undefined): string {
  if (flip === undefined) return '';
  const { autoAfterMs, previewRequestsMin, watchMs, mirrorBps } = flip;
  const after = autoAfterMs === undefined ? '' : ` after ${durationText(autoAfterMs)} and`;
  const way = autoAfterMs === undefined ? 'judged with' : `flips by itself${after}`;
  const watch = watchMs === undefined ? '' : `, watched for ${durationText(watchMs)}`;
  const mirror = mirrorBps === undefined ? '' : `, with copies of ${shareText(mirrorBps)}`;
  return `, ${way} ${counted(previewRequestsMin, 'request')}${mirror}${watch}`;
}

/** `2 replicas, 1 to 4 replicas at 70% CPU, 1.5 cores, 512 MiB`, or nothing. */
export function resourcesText(resources: DeploymentResources | undefined): string {
  const { replicas, autoScaling, cpuLimitMillis, memoryLimitBytes } = resources ?? {};
  const parts = [
    replicas !== undefined && `${replicas} replica${replicas === 1 ? '' : 's'}`,
    autoScaling !== undefined &&
      `${autoScaling.minReplicas} to ${autoScaling.maxReplicas} replicas at ${autoScaling.targetCpuPercent}% CPU`,
    cpuLimitMillis !== undefined && `${coresText(cpuLimitMillis)} cores`,
    memoryLimitBytes !== undefined && sizeText(memoryLimitBytes),
  ];
  return parts.filter((part) => part !== false).join(', ');
}

/** `batches of 32 rows, waiting 200 us, weight 4, due in 250 ms, runs of 2000 ms at most`, or nothing. */
export function batchingText(batching: DeploymentBatching | undefined): string {
  const { rowsMax, allowedRows, delayUsMax, weight, defaultTimeoutMs, runMsMax } = batching ?? {};
  const parts = [
    rowsMax !== undefined && `batches of ${counted(rowsMax, 'row')}`,
    allowedRows !== undefined &&
      (allowedRows.length === 0 ? 'of any size' : `of ${allowedRows.join(', ')} rows`),
    delayUsMax !== undefined && `waiting ${delayUsMax} us`,
    weight !== undefined && `weight ${weight}`,
    defaultTimeoutMs !== undefined && `due in ${defaultTimeoutMs} ms`,
    runMsMax !== undefined && `runs of ${runMsMax} ms at most`,
  ];
  return parts.filter((part) => part !== false).join(', ');
}

/** `answers kept for 10m`, or nothing. */
export function cacheText(cache: DeploymentCache | undefined): string {
  const { enabled, ttlMs = 0 } = cache ?? {};
  if (cache === undefined) return '';
  if (enabled === false) return 'no answers kept';
  const whether = enabled === true ? 'answers kept' : 'answers kept where nodes do,';
  return ttlMs === 0 ? whether.replace(',', '') : `${whether} for ${durationText(ttlMs)}`;
}
