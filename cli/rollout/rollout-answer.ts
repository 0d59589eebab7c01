/** The answer of `GET /v2/rollouts`, asked for and looked at before anything is drawn from it. */
import type { RolloutArm, RolloutDecision, RolloutReport, RolloutState } from '../../gateway/main.ts';
import { CommandError } from '../command-error.ts';
import { askGateway, type GatewayQuestion } from '../gateway-answer.ts';

export interface RolloutQuestion extends Omit<GatewayQuestion, 'path'> {
  /** Only of this model. */
  readonly model: string | undefined;
  /** With the counts that a verdict on several nodes needs. A gateway that is older than they are leaves them out. */
  readonly withEvidence: boolean;
}

/** Rejects with a `CommandError`, or with the reason of the signal when that aborted. */
export async function askRollouts({
  model,
  withEvidence,
  ...question
}: RolloutQuestion): Promise<RolloutReport> {
  const path = withEvidence ? 'v2/rollouts?evidence=true' : 'v2/rollouts';
  const answer = await askGateway({ ...question, path });
  if (isRolloutReport(answer)) return model === undefined ? answer : ofModel(answer, model);
  throw new CommandError(
    'NODE_UNKNOWN',
    `What answers at ${question.address} does not tell of rollouts. Is it a Tidegate gateway, as new as this program?`,
  );
}

function ofModel({ rollouts, decisions }: RolloutReport, wanted: string): RolloutReport {
  return {
    rollouts: rollouts.filter(({ model }) => model === wanted),
    decisions: decisions.filter(({ model }) => model === wanted),
  };
}

type Fields = Readonly<Record<string, unknown>>;

/** Words may be newer than this program, and are shown as they are; shapes may not. */
function isRolloutReport(value: unknown): value is RolloutReport {
  return (
    isRecord(value) &&
    isListOf(value['rollouts'], isRolloutState) &&
    isListOf(value['decisions'], isRolloutDecision)
  );
}

function isRolloutState(value: unknown): value is RolloutState {
  if (!isRecord(value)) return false;
  const { traffic_percent: percent, step, judge } = value;
  return (
    haveText(value, ['model', 'rollout_id', 'strategy', 'stable', 'candidate', 'phase']) &&
    isNumber(percent) &&
    (step === undefined || isStep(step)) &&
    (judge === undefined || isJudge(judge))
  );
}

function isStep(value: unknown): value is NonNullable<RolloutState['step']> {
  if (!isRecord(value)) return false;
  const { number, percents, hold_ms: holdMs } = value;
  return (
    isNumber(number) &&
    isListOf(percents, isNumber) &&
    haveText(value, ['since']) &&
    !Number.isNaN(Date.parse(String(value['since']))) &&
    (holdMs === undefined || isNumber(holdMs))
  );
}

function isJudge(value: unknown): value is NonNullable<RolloutState['judge']> {
  return (
    isRecord(value) &&
    haveText(value, ['verdict', 'reason']) &&
    isNumber(value['candidate_callers']) &&
    isArm(value['candidate']) &&
    isArm(value['stable'])
  );
}

function isArm(value: unknown): value is RolloutArm {
  return (
    isRecord(value) && ['requests', 'failed', 'not_finite', 'crashed'].every((name) => isNumber(value[name]))
  );
}

function isRolloutDecision(value: unknown): value is RolloutDecision {
  return isRecord(value) && haveText(value, ['at', 'model', 'rollout_id', 'decision', 'reason']);
}

function haveText(fields: Fields, names: readonly string[]): boolean {
  return names.every((name) => typeof fields[name] === 'string');
}

function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number';
}

function isListOf<Item>(value: unknown, isItem: (item: unknown) => item is Item): value is readonly Item[] {
  return Array.isArray(value) && value.every(isItem);
}
