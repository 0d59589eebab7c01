/** What goes into wrk and what is read from it; wrk itself is run by suite.test.ts where it is installed. */
import { describe, expect, it } from 'vitest';
import { parseWrkOutput, wrkScript } from '../../../bench/load/wrk.ts';

const output = `Running 2s test @ http://127.0.0.1:8080/
  1 threads and 256 connections
Requests/sec:  30000.00

tidegate-bench {"answers":60000,"failures":2,"seconds":2.000100,"p50Us":7900.0,"p99Us":12000.0,"p999Us":20000.0}
`;

describe('wrk', () => {
  it('is given the body as it is', () => {
    expect(wrkScript('{"inputs":[{"shape":[1,4]}]}')).toContain('[==[{"inputs":[{"shape":[1,4]}]}]==]');
  });

  it('is read from the line that its script prints', () => {
    expect(parseWrkOutput(output)).toEqual({
      answers: 60_000,
      failures: 2,
      seconds: 2.0001,
      p50Us: 7900,
      p99Us: 12_000,
      p999Us: 20_000,
    });
  });

  it('is not believed when that line is missing or has no numbers', () => {
    expect(() => parseWrkOutput('Running 2s test')).toThrow('no result');
    expect(() => parseWrkOutput('tidegate-bench {"answers":null}')).toThrow('No number answers');
  });
});
