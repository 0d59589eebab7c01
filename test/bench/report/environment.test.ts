/** What a report says about its machine. */
import { describe, expect, it } from 'vitest';
import { describeEnvironment, type Environment, readEnvironment } from '../../../bench/report/environment.ts';

const quiet: Environment = {
  commit: '0123456789ab+changes',
  cpuModel: 'AMD EPYC',
  cores: 2,
  memoryBytes: 8e9,
  system: 'linux x64 6.1',
  node: 'v20.20.2',
  loadAverage: 0.04,
  versions: { 'onnxruntime-web': '1.30.0', wrk: undefined },
};

describe('the environment of a run', () => {
  it('is described in two lines', () => {
    expect(describeEnvironment(quiet).split('\n')).toEqual([
      'AMD EPYC, 2 cores, load 0.04 before; Node v20.20.2; commit 0123456789ab+changes',
      'onnxruntime-web 1.30.0, wrk (none)',
    ]);
  });

  it('comes with a warning when the machine was busy', () => {
    expect(describeEnvironment({ ...quiet, loadAverage: 1.7 })).toContain('these numbers mean little');
  });

  it('names this machine', () => {
    const { cores, node } = readEnvironment();
    expect(cores).toBeGreaterThan(0);
    expect(node).toBe(process.version);
  });
});
