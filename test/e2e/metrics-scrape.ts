/** Reads the gateway's `/metrics` as a monitoring system would, and looks numbers up by name and labels. */

export class MetricsScrape {
  readonly #samples: readonly { readonly series: string; readonly value: number }[];

  private constructor(text: string) {
    this.#samples = text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => {
        const space = line.lastIndexOf(' ');
        return { series: line.slice(0, space), value: Number(line.slice(space + 1)) };
      });
  }

  static async of(url: string): Promise<MetricsScrape> {
    const response = await fetch(`${url}/metrics`);
    return new MetricsScrape(await response.text());
  }

  /** Sum of all series of that name whose labels include those given; 0 when there is none. */
  sum(name: string, labels: Readonly<Record<string, string>> = {}): number {
    const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    let sum = 0;
    for (const { series, value } of this.#samples) {
      if (series !== name && !series.startsWith(`${name}{`)) continue;
      if (wanted.every((pair) => series.includes(pair))) sum += value;
    }
    return sum;
  }
}
