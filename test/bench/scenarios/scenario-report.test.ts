/** Spread over rounds, rounds that do not count, and what a reader must know; models that have the layers they claim. */
import { describe, expect, it } from 'vitest';
import {
  linesOf,
  scenarioCsv,
  scenarioHtml,
  type ScenarioResult,
  scenarioText,
} from '../../../bench/report/scenario-report.ts';
import { largeModels } from '../../../bench/scenarios/bench-models.ts';
import { inspectOnnxModel } from '../../../registry-store/onnx/inspect-model.ts';

const row = (round: number, value: number, problems: readonly string[] = []) => ({
  load: 'iris, "1"',
  peer: 'gateway',
  round,
  numbers: { p50_us: value, failed: 0 },
  problems,
});

const result: ScenarioResult = {
  format: 1,
  startedAt: '2026-01-01T00:00:00.000Z',
  command: 'npm run bench -- --scenario open',
  environment: {
    commit: 'abc',
    cpuModel: 'cpu <x>',
    cores: 2,
    memoryBytes: 1,
    system: 'linux',
    node: 'v20',
    loadAverage: 0,
    versions: {},
  },
  rounds: 3,
  seconds: 5,
  isQuick: false,
  missing: { Flask: 'apt install it' },
  scenarios: [
    {
      name: 'open',
      title: 'At a rate',
      headline: ['p50_us'],
      rows: [row(0, 100), row(1, 300), row(2, 900, ['the load generator was late'])],
    },
  ],
};
const [scenario] = result.scenarios;

describe('the report of scenarios', () => {
  it('forms the median over the rounds that count, and names the others', () => {
    expect(scenario && linesOf(scenario)).toEqual([
      {
        load: 'iris, "1"',
        peer: 'gateway',
        spreads: [{ median: 200, min: 100, max: 300 }],
        problems: ['round 3: the load generator was late'],
      },
    ]);
    expect(scenarioText(result)).toMatch(/gateway +200 \(100-300\)/);
    expect(scenarioText(result)).toContain('Left out: Flask (apt install it).');
  });

  it('has no number where no round counts', () => {
    const spoilt = { ...result, scenarios: scenario ? [{ ...scenario, rows: [row(0, 5, ['late'])] }] : [] };
    expect(scenarioText(spoilt)).toContain('not valid');
    expect(scenarioHtml(spoilt)).not.toContain('<svg');
  });

  it('has every number in CSV, valid or not', () => {
    const lines = scenarioCsv(result).trimEnd().split('\r\n');
    expect(lines[0]).toBe('scenario,load,peer,round,number,value,valid');
    expect(lines[1]).toBe('open,"iris, ""1""",gateway,1,p50_us,100,true');
    expect(lines).toContain('open,"iris, ""1""",gateway,3,p50_us,900,false');
  });

  it('draws bars with their range in a page that loads nothing', () => {
    const page = scenarioHtml(result);
    expect(page).toContain('cpu &lt;x&gt;');
    expect(page).toContain('iris, &quot;1&quot;, gateway');
    expect(page).not.toMatch(/(src|href)=|NaN/);
  });
});

describe('the large models', () => {
  it('are the same every time, can be served, and have the layers of the networks whose shape they have', () => {
    const [mlp, mobilenet] = largeModels('tiny');
    const again = largeModels('tiny');
    expect(Buffer.from(mlp?.bytes ?? []).equals(again[0]?.bytes ?? new Uint8Array(1))).toBe(true);
    for (const model of [mlp, mobilenet]) {
      const read = inspectOnnxModel(model?.bytes ?? new Uint8Array(0));
      if (!read.ok) throw new Error(read.message);
      expect(read.value.refusals).toEqual([]);
    }
    // Names of operators stand in the file as they are.
    const text = Buffer.from(mobilenet?.bytes ?? []).toString('latin1');
    expect(text.match(/depthwise\d+\.weight/g)?.length).toBeGreaterThanOrEqual(13);
    expect(text.match(/pointwise\d+\.weight/g)?.length).toBeGreaterThanOrEqual(13);
    expect(mlp?.rowShape).toEqual([512]);
  });
});
