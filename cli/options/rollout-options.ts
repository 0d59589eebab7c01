/** Options that say how a rollout goes its way and what it is judged by, and what they mean to the store. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { PlanRequest } from '../../registry-store/lifecycle/plan-rollout.ts';
import { previewRequestsMinDefault } from '../../registry-store/manifest/flip-plan.ts';
import {
  gateActions,
  type Gate,
  type GateMetric,
  gateMetrics,
  inconclusiveActions,
  type InconclusiveAction,
  type RolloutAnalysis,
  toleratedPercentMax,
  toleratedPercentMin,
} from '../../registry-store/manifest/rollout-analysis.ts';
import { callersOption, countOption, durationOption, shareOption, sharesOption } from './quantity.ts';

type Gates = Readonly<Partial<Record<GateMetric, Gate>>>;

export interface RolloutOptions {
  readonly rolling?: true;
  readonly steps?: readonly number[];
  readonly hold?: number;
  readonly surge?: number;
  readonly maxUnavailable?: number;
  readonly bake?: number;
  readonly deadline?: number;
  readonly autoPromoteAfter?: number;
  readonly previewRequests?: number;
  readonly watch?: number;
  readonly mirror?: number;
  readonly gate?: Gates;
  readonly minCallers?: number;
  readonly inconclusiveAfter?: number;
  readonly onInconclusive?: InconclusiveAction;
}

export function addRolloutOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--steps <percents>', 'a canary whose share grows like this, while it is no worse')
        .argParser(sharesOption)
        .conflicts(['shadow']),
    )
    .addOption(
      new Option(
        '--hold <time>',
        'hold each step so long; --steps without it wait for approval, --rolling takes 10s',
      ).argParser(durationOption),
    )
    .addOption(
      new Option(
        '--surge <count>',
        'with --rolling: replicas that come at a time, beyond those there are (default: 1)',
      ).argParser(wholeOption),
    )
    .addOption(
      new Option(
        '--max-unavailable <count>',
        'with --rolling: replicas of the live version given up before their successors are ready (default: 0)',
      ).argParser(wholeOption),
    )
    .addOption(new Option('--bake <time>', 'watch the last step so long').argParser(durationOption))
    .addOption(
      new Option('--deadline <time>', 'give up a step that does not end so long after its hold').argParser(
        durationOption,
      ),
    )
    .addOption(
      new Option(
        '--auto-promote-after <time>',
        'with --blue-green: gateways flip by themselves after a preview of so long that shows nothing wrong',
      ).argParser(durationOption),
    )
    .addOption(
      new Option(
        '--preview-requests <count>',
        `with --blue-green: requests that it must have answered before (default: ${previewRequestsMinDefault})`,
      ).argParser(countOption),
    )
    .addOption(
      new Option(
        '--watch <time>',
        'with --blue-green: watch it so long after, and go back when it is worse',
      ).argParser(durationOption),
    )
    .addOption(
      new Option(
        '--mirror <percent>',
        'with --blue-green: give the preview copies of a share of the requests, answers unused, to judge it by',
      ).argParser(shareOption),
    )
    .addOption(
      new Option(
        '--gate <metric=action>',
        `what follows when it is worse in ${gateMetrics.join(', ')}: ${gateActions.join(', ')}; latency=pause:1.5 tolerates 1.5 times as many; repeatable`,
      ).argParser(gateOption),
    )
    .addOption(
      new Option('--min-callers <count>', 'callers it must have met before it is compared').argParser(
        callersOption,
      ),
    )
    .addOption(
      new Option('--inconclusive-after <time>', 'how long a step may show nothing either way').argParser(
        durationOption,
      ),
    )
    .addOption(
      new Option('--on-inconclusive <action>', 'what follows then (default: promote)').choices(
        inconclusiveActions,
      ),
    );
}

/** What a deploy says of the way; only what was given. */
export function planRequest(options: RolloutOptions): PlanRequest {
  const { rolling, steps, hold: holdMs, surge, maxUnavailable, bake: bakeMs, deadline: deadlineMs } = options;
  const {
    autoPromoteAfter: autoPromoteAfterMs,
    previewRequests: previewRequestsMin,
    watch: watchMs,
    mirror,
  } = options;
  if (steps === undefined && rolling !== true && holdMs !== undefined) {
    throw new InvalidArgumentError('--hold goes with --steps, such as --steps 1,5,25,50,100, or --rolling.');
  }
  return {
    ...(steps !== undefined && {
      steps: steps.map((trafficBps) => ({ trafficBps, ...(holdMs !== undefined && { holdMs }) })),
    }),
    ...(rolling === true && holdMs !== undefined && { holdMs }),
    ...(surge !== undefined && { surge }),
    ...(maxUnavailable !== undefined && { maxUnavailable }),
    ...(bakeMs !== undefined && { bakeMs }),
    ...(deadlineMs !== undefined && { deadlineMs }),
    ...(autoPromoteAfterMs !== undefined && { autoPromoteAfterMs }),
    ...(previewRequestsMin !== undefined && { previewRequestsMin }),
    ...(watchMs !== undefined && { watchMs }),
    ...(mirror !== undefined && { mirrorBps: Math.round(mirror * 100) }),
  };
}

/** Undefined when nothing was said. */
export function analysisOf(options: RolloutOptions): RolloutAnalysis | undefined {
  const { gate: gates, minCallers: callersMin, inconclusiveAfter, onInconclusive } = options;
  const analysis = {
    ...(gates !== undefined && { gates }),
    ...(callersMin !== undefined && { callersMin }),
    ...(inconclusiveAfter !== undefined && { inconclusiveAfterMs: inconclusiveAfter }),
    ...(onInconclusive !== undefined && { onInconclusive }),
  };
  return Object.keys(analysis).length === 0 ? undefined : analysis;
}

/** What the number may be is said by the store. */
function wholeOption(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('This is a whole number from 0.');
}

function gateOption(text: string, before: Gates = {}): Gates {
  const [, name, wanted, ratio] = /^([a-z]+)=([a-z]+)(?::(\d{1,3}(?:\.\d{1,2})?))?$/.exec(text) ?? [];
  const metric = gateMetrics.find((known) => known === name);
  const action = gateActions.find((known) => known === wanted);
  const toleratedPercent = ratio === undefined ? undefined : Math.round(Number(ratio) * 100);
  const fits =
    toleratedPercent === undefined ||
    (toleratedPercent >= toleratedPercentMin && toleratedPercent <= toleratedPercentMax);
  if (metric === undefined || action === undefined || !fits) {
    throw new InvalidArgumentError(
      `Write a gate like latency=rollback or prediction=pause:1.5: one of ${gateMetrics.join(', ')}, one of ${gateActions.join(', ')}, and from 1 to 100 times as often.`,
    );
  }
  return { ...before, [metric]: { action, ...(toleratedPercent !== undefined && { toleratedPercent }) } };
}
