/** What a scenario is, and the form of what it measures: named numbers, each with its round. */
import type { Field, ModelName } from './field.ts';

/** Two models that share a gateway, which may be the same. */
export interface ModelPair {
  readonly hot: ModelName;
  readonly cold: ModelName;
}

export interface ScenarioContext {
  readonly field: Field;
  /** From 0; peers take turns from round to round. */
  readonly round: number;
  /** Of each measured run. */
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** Requests per second of the scenarios that keep a rate. */
  readonly rates: readonly number[];
  /** Of the scenario capacity; undefined for all of them. */
  readonly models?: readonly ModelName[] | undefined;
  /** Requests under way in it; undefined for what suits each model. */
  readonly connections?: number | undefined;
  /** Models of the scenario hot-cold; undefined for several pairs. */
  readonly pair?: ModelPair | undefined;
  /** How often something is changed under load. */
  readonly changes: number;
  /** How many threads are ended under load. */
  readonly kills: number;
  /** Of whatever a scenario leaves to chance; any whole number. */
  readonly seed: number;
  readonly isQuick: boolean;
  readonly progress: (line: string) => void;
}

export interface ScenarioRow {
  /** What was asked, such as the model or the rate. */
  readonly load: string;
  /** Who answered. */
  readonly peer: string;
  /** With units in their names. */
  readonly numbers: Readonly<Record<string, number>>;
  /** Why the numbers must not be used; empty when they may. */
  readonly problems: readonly string[];
}

export interface Scenario {
  /** As --scenario knows it. */
  readonly name: string;
  readonly title: string;
  /** What is drawn, and in the summary: names of numbers, the most important one first. */
  readonly headline: readonly string[];
  /** Takes many minutes: left out of `all`, run only by its name. */
  readonly isLong?: boolean;
  /** One round of it. */
  readonly run: (context: ScenarioContext) => Promise<readonly ScenarioRow[]>;
}

export function pick(
  numbers: Readonly<Record<string, number>>,
  names: readonly string[],
): Readonly<Record<string, number>> {
  return Object.fromEntries(names.map((name) => [name, numbers[name] ?? 0]));
}
