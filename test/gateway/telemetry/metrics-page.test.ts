/**
 * The page is read back by a small parser of the text exposition format 0.0.4, written from its specification, and then
 * has to say exactly what was counted.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MetricsPage } from '../../../gateway/telemetry/metrics-page.ts';
import type { Outcome, Protocol, VersionMetrics } from '../../../gateway/telemetry/version-metrics.ts';

interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Family {
  help: string | undefined;
  type: string | undefined;
  readonly series: Series[];
}

const escapes: Readonly<Record<string, string>> = { '\\\\': '\\', '\\"': '"', '\\n': '\n' };

/** Families by name; throws on a line that is neither a comment nor a sample, or a sample outside of its family. */
function parse(page: string): Map<string, Family> {
  expect(page.endsWith('\n')).toBe(true);
  const families = new Map<string, Family>();
  let current = '';
  for (const line of page.split('\n').filter((text) => text !== '')) {
    const comment = /^# (?<kind>HELP|TYPE) (?<name>[a-zA-Z_:][\w:]*) (?<rest>.*)$/s.exec(line)?.groups;
    if (comment !== undefined) {
      current = comment['name']!;
      const family = families.get(current) ?? { help: undefined, type: undefined, series: [] };
      families.set(current, family);
      if (comment['kind'] === 'HELP') family.help = comment['rest'];
      else family.type = comment['rest'];
      continue;
    }
    const sample = /^(?<name>[a-zA-Z_:][\w:]*)(?:\{(?<labels>.*)\})? (?<value>\S+)$/s.exec(line)?.groups;
    if (sample === undefined) throw new Error(`not a line of the format: ${line}`);
    const name = sample['name']!;
    if (!name.startsWith(current)) throw new Error(`${name} stands among the samples of ${current}`);
    const value = Number(sample['value']!.replace('Inf', 'Infinity'));
    families.get(current)!.series.push({ name, labels: parseLabels(sample['labels'] ?? ''), value });
  }
  return families;
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  const label = /(?<name>[a-zA-Z_]\w*)="(?<value>(?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y;
  while (label.lastIndex < text.length) {
    const found = label.exec(text)?.groups;
    if (found === undefined) throw new Error(`not a list of labels: ${text}`);
    labels[found['name']!] = found['value']!.replace(/\\["\\n]/g, (escape) => escapes[escape]!);
  }
  return labels;
}

async function familiesOf(page: MetricsPage): Promise<Map<string, Family>> {
  return parse(await page.render());
}

function seriesOf(families: Map<string, Family>, family: string): readonly Series[] {
  return families.get(family)?.series ?? [];
}

const histograms = [
  { family: 'tidegate_request_seconds', of: (version: VersionMetrics) => version.requestSeconds },
  { family: 'tidegate_queue_seconds', of: (version: VersionMetrics) => version.queueSeconds },
  { family: 'tidegate_run_seconds', of: (version: VersionMetrics) => version.runSeconds },
  { family: 'tidegate_batch_rows', of: (version: VersionMetrics) => version.batchRows },
] as const;

const protocols: readonly Protocol[] = ['oip-json', 'predict-json', 'oip-msgpack', 'stream-msgpack'];
const outcomes: readonly Outcome[] = ['OK', 'ABANDONED', 'QUEUE_FULL', 'MODEL_FAILED', 'UNKNOWN_MODEL'];

describe('the metrics page', () => {
  it('has every family of its own from the start, with help and a type, and that of the process', async () => {
    const families = await familiesOf(new MetricsPage());
    const types = new Map([...families].map(([name, { type }]) => [name, type]));
    for (const { family } of histograms) expect(types.get(family)).toBe('histogram');
    expect(types.get('tidegate_requests_total')).toBe('counter');
    expect(types.get('tidegate_batches_retried_total')).toBe('counter');
    expect(types.get('process_cpu_seconds_total')).toBe('counter');
    expect(types.get('nodejs_heap_size_used_bytes')).toBe('gauge');
    for (const [name, { help }] of families) expect([name, help]).not.toEqual([name, undefined]);
  });

  it('is served as the text format that it is', () => {
    expect(new MetricsPage().contentType).toMatch(/^text\/plain; version=0\.0\.4/);
  });

  it('says for every protocol and outcome how many requests there were', async () => {
    const count = fc.record({
      model: fc.constantFrom(undefined, 'iris', 'mnist'),
      protocol: fc.constantFrom(...protocols),
      outcome: fc.constantFrom(...outcomes),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(count, { maxLength: 60 }), async (counts) => {
        const page = new MetricsPage();
        const expected = new Map<string, number>();
        for (const { model, protocol, outcome } of counts) {
          const counter = model === undefined ? page.unrouted : page.version(model, '1').outcomes;
          counter.count(protocol, outcome);
          const key = [model ?? '', model === undefined ? '' : '1', protocol, outcome].join(' ');
          expected.set(key, (expected.get(key) ?? 0) + 1);
        }
        const series = seriesOf(await familiesOf(page), 'tidegate_requests_total');
        const found = series.map(({ labels, value }): [string, number] => {
          const { model, version, protocol, code } = labels;
          return [[model, version, protocol, code].join(' '), value];
        });
        expect(found.length).toBe(expected.size);
        expect(new Map(found)).toEqual(expected);
      }),
      { numRuns: 20 },
    );
  });

  it.each(histograms)(
    'shows $family as buckets that only grow and end in the count',
    async ({ family, of }) => {
      const page = new MetricsPage();
      const recorded = { iris: [0, 0.0001, 0.00011, 1, 3, 2000], mnist: [0.5], idle: [] };
      for (const [model, values] of Object.entries(recorded)) {
        const histogram = of(page.version(model, '1'));
        for (const value of values) histogram.record(value);
      }
      const series = seriesOf(await familiesOf(page), family);
      for (const [model, values] of Object.entries(recorded)) {
        const mine = series.filter(({ labels }) => labels['model'] === model && labels['version'] === '1');
        const named = (suffix: string): Series[] => mine.filter(({ name }) => name === `${family}_${suffix}`);
        const buckets = named('bucket');
        expect(buckets.map(({ labels }) => labels['le'])).toEqual([
          ...of(page.version(model, '1')).bounds.map(String),
          '+Inf',
        ]);
        for (const { labels, value } of buckets) {
          const bound = Number(labels['le']!.replace('+Inf', 'Infinity'));
          expect([labels['le'], value]).toEqual([
            labels['le'],
            values.filter((each) => each <= bound).length,
          ]);
        }
        expect(named('count').map(({ value }) => value)).toEqual([values.length]);
        expect(named('sum')[0]?.value).toBeCloseTo(values.reduce((sum, value) => sum + value, 0));
        expect(mine.length).toBe(buckets.length + 2);
      }
    },
  );

  it('counts the batches that were split', async () => {
    const page = new MetricsPage();
    page.version('iris', '1').batchesRetried += 3;
    page.version('iris', '2');
    expect(seriesOf(await familiesOf(page), 'tidegate_batches_retried_total')).toEqual([
      { name: 'tidegate_batches_retried_total', labels: { model: 'iris', version: '1' }, value: 3 },
      { name: 'tidegate_batches_retried_total', labels: { model: 'iris', version: '2' }, value: 0 },
    ]);
  });

  it('keeps one set of counters for a version, also when it is loaded again', () => {
    const page = new MetricsPage();
    expect(page.version('iris', '1')).toBe(page.version('iris', '1'));
    expect(page.version('iris', '2')).not.toBe(page.version('iris', '1'));
    expect(page.version('iri', 's1')).not.toBe(page.version('iris', '1'));
  });

  it('gives label values back as they were, quotes, backslashes and line ends included', async () => {
    const awkward = fc.oneof(
      fc.string({ unit: fc.constantFrom('"', '\\', '\n', '\r', 'n', ',', '=', '}', '{', ' ', '#') }),
      fc.string({ unit: 'grapheme' }),
    );
    await fc.assert(
      fc.asyncProperty(awkward, awkward, async (model, version) => {
        const page = new MetricsPage();
        page.version(model, version).outcomes.count('oip-json', 'OK');
        const [series] = seriesOf(await familiesOf(page), 'tidegate_requests_total');
        expect(series?.labels).toEqual({ model, version, protocol: 'oip-json', code: 'OK' });
      }),
      { numRuns: 50 },
    );
  });

  it('reads added gauges and counters when the page is made, not before', async () => {
    const page = new MetricsPage();
    let depth = 1;
    page.gauge({ name: 'test_depth', help: 'Rows.', read: () => [{ labels: { lane: '0' }, value: depth }] });
    page.counter({ name: 'test_total', help: 'Two\nlines.', read: () => [{ labels: {}, value: 2 * depth }] });
    depth = 21;
    const families = await familiesOf(page);
    expect(families.get('test_depth')).toEqual({
      help: 'Rows.',
      type: 'gauge',
      series: [{ name: 'test_depth', labels: { lane: '0' }, value: 21 }],
    });
    expect(families.get('test_total')).toEqual({
      help: 'Two\\nlines.',
      type: 'counter',
      series: [{ name: 'test_total', labels: {}, value: 42 }],
    });
  });

  it('throws when a name is given twice, as one would hide the other', () => {
    const page = new MetricsPage();
    const gauge = { name: 'test_depth', help: 'Rows.', read: () => [] };
    page.gauge(gauge);
    expect(() => {
      page.gauge(gauge);
    }).toThrow('test_depth');
  });

  it.each([Infinity, -Infinity, NaN, 1e21, 0.1])('writes %d as the format does', async (value) => {
    const page = new MetricsPage();
    page.gauge({ name: 'test_value', help: 'A value.', read: () => [{ labels: {}, value }] });
    expect(seriesOf(await familiesOf(page), 'test_value')[0]?.value).toBe(value);
  });
});
