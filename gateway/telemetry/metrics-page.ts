/**
 * The `/metrics` page. Everything is counted elsewhere as plain numbers; here they get names, labels and help when
 * somebody asks, through a prom-client registry, so that the request path never hashes a label.
 */
import { collectDefaultMetrics, Registry } from 'prom-client';
import type { BucketHistogram } from './bucket-histogram.ts';
import { type AcrossProcesses, type MetricList, renderMerged } from './merged-metrics.ts';
import { failuresByReason, versionCounters } from './model-statistics.ts';
import { OutcomeCounter, VersionMetrics } from './version-metrics.ts';

/** A number read when the page is made. */
export interface Gauge {
  readonly name: string;
  readonly help: string;
  readonly read: () => Iterable<Sample>;
  /** How it reads for several processes together; default `sum`. */
  readonly acrossProcesses?: AcrossProcesses;
}

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export class MetricsPage {
  readonly #others: (() => Promise<readonly MetricList[]>) | undefined;
  /** Requests that failed before a model was known. */
  readonly unrouted: OutcomeCounter = new OutcomeCounter();
  readonly #registry: Registry = new Registry();
  readonly #versions = new Map<string, VersionMetrics>();

  /** `others`: what the other processes of the node count, when the page is to tell of all of them. */
  constructor(others?: () => Promise<readonly MetricList[]>) {
    this.#others = others;
    collectDefaultMetrics({ register: this.#registry });
    this.#register('tidegate_requests_total', 'Requests by outcome; OK or an error code.', 'counter', () =>
      this.#requestSamples(),
    );
    this.#histogram(
      'tidegate_request_seconds',
      'From the whole request to its answer.',
      (v) => v.requestSeconds,
    );
    this.#histogram(
      'tidegate_queue_seconds',
      'From the whole request to the start of its batch.',
      (v) => v.queueSeconds,
    );
    this.#histogram('tidegate_run_seconds', 'Time in the model runtime per batch.', (v) => v.runSeconds);
    this.#histogram('tidegate_batch_rows', 'Rows per batch.', (v) => v.batchRows);
    this.#register(
      'tidegate_batches_total',
      'Batches by why they were not larger: full, drained, slack, delay or retry.',
      'counter',
      () => this.#triggerSamples(),
    );
    this.#histogram(
      'tidegate_prediction_error_seconds',
      'How far the time that a batch took its lane was from the time foreseen, either way.',
      (v) => v.predictionErrorSeconds,
    );
    this.#histogram(
      'tidegate_cold_wait_seconds',
      'How long requests waited for a model to be loaded.',
      (v) => v.coldWaitSeconds,
      true,
    );
    this.#register(
      'tidegate_evictions_total',
      'Times that a version left memory, because nobody asked for it (idle) or another needed the room (room).',
      'counter',
      () => this.#evictionSamples(),
    );
    this.#register(
      'tidegate_batches_retried_total',
      'Batches that failed and were run member by member.',
      'counter',
      () => this.#perVersion((metrics) => metrics.batchesRetried),
    );
    for (const { name, help, read } of versionCounters) {
      this.#register(name, help, 'counter', () => this.#perVersion(read));
    }
    this.#register(
      'nv_inference_request_failure',
      'Requests that were not answered with a result, by reason.',
      'counter',
      () => this.#failureSamples(),
    );
  }

  /** The counters of a version; the same object for the same version, also across reloads. */
  version(modelName: string, modelVersion: string): VersionMetrics {
    const key = `${modelName}\0${modelVersion}`;
    let metrics = this.#versions.get(key);
    if (metrics === undefined) {
      metrics = new VersionMetrics(modelName, modelVersion);
      this.#versions.set(key, metrics);
    }
    return metrics;
  }

  gauge(gauge: Gauge): void {
    this.#register(gauge.name, gauge.help, 'gauge', gauge.read, gauge.acrossProcesses);
  }

  counter(counter: Gauge): void {
    this.#register(counter.name, counter.help, 'counter', counter.read);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  async render(): Promise<string> {
    if (this.#others === undefined) return this.#registry.metrics();
    const [own, others] = await Promise.all([this.own(), this.#others()]);
    return renderMerged([own, ...others]);
  }

  /** What this process counts. */
  own(): Promise<MetricList> {
    return this.#registry.getMetricsAsJSON();
  }

  #register(
    name: string,
    help: string,
    type: 'counter' | 'gauge' | 'histogram',
    read: () => Iterable<PageSample>,
    aggregator: AcrossProcesses = 'sum',
  ): void {
    const metric = {
      name,
      get: () => Promise.resolve({ name, help, type, aggregator, values: [...read()] }),
      reset: () => undefined,
    };
    // prom-client renders anything with a name and `get`; its types only name its own classes.
    this.#registry.registerMetric(metric as never);
  }

  #histogram(
    name: string,
    help: string,
    of: (metrics: VersionMetrics) => BucketHistogram,
    isSeldom = false,
  ): void {
    this.#register(name, help, 'histogram', () => this.#histogramSamples(name, of, isSeldom));
  }

  *#histogramSamples(
    name: string,
    of: (metrics: VersionMetrics) => BucketHistogram,
    isSeldom: boolean,
  ): Generator<PageSample> {
    for (const metrics of this.#versions.values()) {
      const labels = labelsOf(metrics);
      const histogram = of(metrics);
      // Most versions never have any of some.
      if (isSeldom && histogram.count === 0) continue;
      const cumulative = histogram.cumulative();
      for (const [index, bound] of histogram.bounds.entries()) {
        yield {
          labels: { ...labels, le: bound },
          value: cumulative[index] ?? 0,
          metricName: `${name}_bucket`,
        };
      }
      yield { labels: { ...labels, le: '+Inf' }, value: histogram.count, metricName: `${name}_bucket` };
      yield { labels, value: histogram.sum, metricName: `${name}_sum` };
      yield { labels, value: histogram.count, metricName: `${name}_count` };
    }
  }

  *#requestSamples(): Generator<Sample> {
    for (const row of this.unrouted.rows()) {
      yield {
        labels: { model: '', version: '', protocol: row.protocol, code: row.outcome },
        value: row.value,
      };
    }
    for (const metrics of this.#versions.values()) {
      for (const row of metrics.outcomes.rows()) {
        const labels = { ...labelsOf(metrics), protocol: row.protocol, code: row.outcome };
        yield { labels, value: row.value };
      }
    }
  }

  *#triggerSamples(): Generator<Sample> {
    for (const metrics of this.#versions.values()) {
      for (const [trigger, value] of Object.entries(metrics.triggers)) {
        yield { labels: { ...labelsOf(metrics), trigger }, value };
      }
    }
  }

  *#evictionSamples(): Generator<Sample> {
    for (const metrics of this.#versions.values()) {
      for (const [cause, value] of Object.entries(metrics.evictions)) {
        if (value > 0) yield { labels: { ...labelsOf(metrics), cause }, value };
      }
    }
  }

  *#failureSamples(): Generator<Sample> {
    for (const metrics of this.#versions.values()) {
      for (const [reason, value] of failuresByReason(metrics)) {
        yield { labels: { ...labelsOf(metrics), reason }, value };
      }
    }
  }

  *#perVersion(value: (metrics: VersionMetrics) => number): Generator<Sample> {
    for (const metrics of this.#versions.values()) yield { labels: labelsOf(metrics), value: value(metrics) };
  }
}

/** A sample as prom-client renders it; `metricName` tells the series of a histogram apart. */
interface PageSample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  readonly metricName?: string;
}

function labelsOf(metrics: VersionMetrics): { readonly model: string; readonly version: string } {
  return { model: metrics.modelName, version: metrics.modelVersion };
}
