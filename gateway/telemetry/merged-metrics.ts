/**
 * The metrics of several processes of one node as those of one: counters and histograms are added, of gauges each says what
 * is true of the node. A process that ended takes its gauges with it; what it counted stays, or sums would fall.
 */
import { AggregatorRegistry, type MetricObjectWithValues, type MetricValue } from 'prom-client';

/** What one process counts, as plain values that can go to another one. */
export type MetricList = readonly MetricObjectWithValues<MetricValue<string>>[];

/** How the values of a metric become one; `omit` leaves out what only makes sense for one process. */
export type AcrossProcesses = 'sum' | 'min' | 'max' | 'average' | 'first' | 'omit';

/** The page for all of them. Metrics that only one process has are taken as they are. */
export function renderMerged(lists: readonly MetricList[]): Promise<string> {
  return merged(lists).metrics();
}

/** What stays of processes that ended. */
export async function countedBy(lists: readonly MetricList[]): Promise<MetricList> {
  const counted = lists.map((list) => list.filter(({ type }) => isCounted(type)));
  return merged(counted).getMetricsAsJSON();
}

function merged(lists: readonly MetricList[]): ReturnType<typeof AggregatorRegistry.aggregate> {
  return AggregatorRegistry.aggregate([...lists]);
}

/** The library's typings call the type a number; it is its name. */
function isCounted(type: unknown): boolean {
  return type === 'counter' || type === 'histogram';
}
