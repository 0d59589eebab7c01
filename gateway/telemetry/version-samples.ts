/** One sample a version, from what its generations add up to: several of them may be there while one replaces the other. */
import type { Sample } from './metrics-page.ts';

export interface NamedVersion {
  readonly modelName: string;
  readonly modelVersion: string;
}

export function samplesByVersion(
  values: Iterable<{ readonly generation: NamedVersion; readonly value: number }>,
): Sample[] {
  const samples = new Map<string, Sample>();
  for (const { generation, value } of values) {
    const { modelName: model, modelVersion: version } = generation;
    const key = `${model}\0${version}`;
    const before = samples.get(key)?.value ?? 0;
    samples.set(key, { labels: { model, version }, value: before + value });
  }
  return [...samples.values()];
}
