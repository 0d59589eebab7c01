/** Which options make a plan, and what is said to those that make none. */
import { describe, expect, it } from 'vitest';
import {
  checkOptions,
  type GivenOptions,
  headerOption,
  lengthOption,
  percentileOption,
  timeOption,
} from '../../../cli/bench/options.ts';

const given: GivenOptions = {
  model: 'iris',
  protocol: 'http-json',
  duration: 5,
  warmup: 1,
  percentile: 99,
  seed: 1,
  header: {},
  format: 'table',
};
const values = (...list: readonly number[]) => ({ kind: 'values', values: list }) as const;
const range = { kind: 'range', from: 2, to: 4 } as const;

describe('the plan', () => {
  it.each([
    ['nothing', {}, [{ kind: 'closed', value: 16 }]],
    [
      'a list',
      { concurrency: values(1, 8) },
      [
        { kind: 'closed', value: 1 },
        { kind: 'closed', value: 8 },
      ],
    ],
    ['a range', { concurrency: range }, [2, 3, 4].map((value) => ({ kind: 'closed', value }))],
    ['a rate', { rate: values(0.5) }, [{ kind: 'open', value: 0.5 }]],
    ['a rate with a limit', { rate: values(50), latencyLimit: 0.01 }, [{ kind: 'open', value: 50 }]],
  ])('of %s is points', (_what, options, points) => {
    expect(checkOptions('localhost:1', { ...given, ...options }).plan).toEqual({ kind: 'points', points });
  });

  it('of a limit is a search, in the range that is given', () => {
    const limit = { ...given, latencyLimit: 0.01 };
    expect(checkOptions('localhost:1', limit).plan).toEqual({ kind: 'search', from: 10, to: 100_000 });
    expect(checkOptions('localhost:1', { ...limit, rate: range }).plan).toEqual({
      kind: 'search',
      from: 2,
      to: 4,
    });
  });

  it.each<[string, Partial<GivenOptions>, RegExp]>([
    ['a rate of a closed loop', { mode: 'closed', rate: values(1) }, /--rate is for --mode open/],
    ['a limit of a closed loop', { mode: 'closed', latencyLimit: 1 }, /--latency-limit is for --mode open/],
    ['arrivals of a closed loop', { arrivals: 'poisson' }, /--arrivals is for --mode open/],
    [
      'concurrency of an open loop',
      { rate: values(1), concurrency: values(1) },
      /--concurrency is for --mode closed/,
    ],
    ['an open loop without a rate', { mode: 'open' }, /needs a --rate/],
    ['a part of a request', { concurrency: values(1.5) }, /whole numbers/],
    ['more than there are connections', { concurrency: values(1001) }, /up to 1000/],
    ['rows of a file', { input: 'a.json', rows: 2 }, /--rows is for random tensors/],
    ['another kind of report', { report: 'a.pdf' }, /\.html or \.svg/],
    ['too many rates', { rate: { kind: 'range', from: 1, to: 5000 } }, /give a step/],
  ])('refuses %s', (_what, options, message) => {
    expect(() => checkOptions('localhost:1', { ...given, ...options })).toThrow(message);
  });

  it.each(['ftp://host', 'http://', '::', 'http://host:99999'])('refuses the address %s', (address) => {
    expect(() => checkOptions(address, given)).toThrow(/no http/);
  });

  it('keeps where the server is', () => {
    const { target } = checkOptions('https://[::1]/tenant/', { ...given, header: { Authorization: 'x' } });
    expect(target).toEqual({
      isSecure: true,
      host: '::1',
      port: 443,
      basePath: '/tenant',
      authority: '[::1]',
      headers: { Authorization: 'x' },
    });
  });
});

describe('single options', () => {
  it.each([
    ['500ms', 0.5],
    ['2.5s', 2.5],
    ['1m', 60],
    ['0s', 0],
  ])('%s is a time', (text, seconds) => {
    expect(timeOption(text)).toBe(seconds);
  });

  it.each(['5', '1h', '-1s', '61m', 's'])('%j is no time', (text) => {
    expect(() => timeOption(text)).toThrow(/Write a time like/);
  });

  it('a window has a length, a percentile lies below 100, a header has a name', () => {
    expect(() => lengthOption('10ms')).toThrow(/at least 50ms/);
    expect(percentileOption('99.9')).toBe(99.9);
    expect(() => percentileOption('100')).toThrow(/below 100/);
    expect(headerOption('X-Key: a: b', { A: '1' })).toEqual({ A: '1', 'X-Key': 'a: b' });
    expect(() => headerOption('no value', {})).toThrow(/Name: value/);
    expect(() => headerOption('A: b\r\nC: d', {})).toThrow(/Name: value/);
  });
});
