/** Bytes and fields to typed requests: what is read, what is refused, and that nothing is guessed. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { queryFields, readMultipart, readUploadFacts } from '../../../gateway/admin/artifact-upload.ts';
import { type ControlResult, controlErrorTable } from '../../../gateway/admin/control-error.ts';
import {
  readDeploy,
  readHistoryQuery,
  readModel,
  readPromote,
  readRegisterJson,
  readRollback,
  readScale,
} from '../../../gateway/admin/control-requests.ts';
import { readForm } from '../../../gateway/admin/multipart-form.ts';
import { fieldsOf, readJsonBody } from '../../../gateway/admin/request-fields.ts';

function fields(value: object): ReadonlyMap<string, unknown> {
  return fieldsOf(value) ?? new Map<string, unknown>();
}

function codeOf(result: ControlResult<unknown>): string {
  return result.ok ? 'OK' : `${result.code}: ${result.message}`;
}

function valueOf<Value>(result: ControlResult<Value>): Value {
  if (result.ok) return result.value;
  throw new Error(codeOf(result));
}

describe('a JSON body', () => {
  test('is an object in UTF-8, or nothing', () => {
    expect(valueOf(readJsonBody(new Uint8Array())).size).toBe(0);
    expect(valueOf(readJsonBody(Buffer.from('{"a": 1, "__proto__": 2}')))).toEqual(
      new Map([
        ['a', 1],
        ['__proto__', 2],
      ]),
    );
    for (const bytes of ['', ' ', '[]', 'null', '1', '{"a":1', '{"a": NaN}'].slice(1)) {
      expect(codeOf(readJsonBody(Buffer.from(bytes)))).toContain('MALFORMED_JSON');
    }
    expect(codeOf(readJsonBody(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])))).toContain(
      'MALFORMED_JSON',
    );
  });

  test('whatever it is, is read or refused with a code of the table', () => {
    const readers = [
      (value: ReadonlyMap<string, unknown>) => readDeploy(value, undefined),
      (value: ReadonlyMap<string, unknown>) => readScale(value, 'iris'),
      (value: ReadonlyMap<string, unknown>) => readRegisterJson(value),
      (value: ReadonlyMap<string, unknown>) => readRollback(value, undefined),
      (value: ReadonlyMap<string, unknown>) => readPromote(value, 'iris'),
    ];
    const name = fc.constantFrom(
      'model_name',
      'model_version',
      'steps',
      'replicas',
      'metrics',
      'tags',
      'why',
      'x',
    );
    fc.assert(
      fc.property(fc.dictionary(name, fc.jsonValue()), fc.nat(readers.length - 1), (value, index) => {
        const result = readers[index]!(fields(value));
        if (!result.ok) expect(Object.keys(controlErrorTable)).toContain(result.code);
      }),
    );
  });
});

describe('deploy', () => {
  const named = { model_name: 'iris', model_version: '1' };

  test('reads every field of the older path', () => {
    const all = {
      ...named,
      strategy: 'CANARY',
      replicas: 2,
      auto_scaling: true,
      min_replicas: 1,
      max_replicas: 4,
      target_cpu_utilization: 60,
      cpu_limit: '500m',
      memory_limit: 1024,
      batching: { max_rows: 8, allowed_rows: [1, 8], weight: 2 },
      cache: { enabled: true, ttl_ms: 1000 },
      canary_traffic_percentage: 5,
      why: 'new',
    };
    expect(valueOf(readDeploy(fields(all), undefined))).toEqual({
      model: 'iris',
      version: '1',
      config: {
        strategy: 'canary',
        replicas: 2,
        autoScaling: true,
        minReplicas: 1,
        maxReplicas: 4,
        targetCpuUtilization: 60,
        cpuLimit: '500m',
        memoryLimit: 1024,
        batching: { rowsMax: 8, allowedRows: [1, 8], weight: 2 },
        cache: { enabled: true, ttlMs: 1000 },
        canaryTrafficPercentage: 5,
      },
      steps: undefined,
      others: undefined,
      flip: {},
      limits: {},
      why: 'new',
    });
  });

  test.each([
    ['immediate', 'all'],
    ['ALL', 'all'],
    ['blue-green', 'blue_green'],
    ['Shadow', 'shadow'],
  ])('the strategy %s is %s', (given, wanted) => {
    expect(valueOf(readDeploy(fields({ ...named, strategy: given }), undefined)).config.strategy).toBe(
      wanted,
    );
  });

  test('null is a field that is not given', () => {
    const { config } = valueOf(readDeploy(fields({ ...named, replicas: null, strategy: null }), undefined));
    expect(config).toEqual({});
  });

  test('steps are a canary of their own', () => {
    const steps = [{ percentage: 0.5, hold_seconds: 60 }, { percentage: 100 }];
    const read = valueOf(readDeploy(fields({ version: '2', steps }), 'iris'));
    expect(read.steps).toEqual([{ trafficBps: 50, holdMs: 60_000 }, { trafficBps: 10_000 }]);
    expect(read.config.strategy).toBe('canary');
    for (const more of [{ canary_traffic_percentage: 5 }, { strategy: 'shadow' }]) {
      expect(codeOf(readDeploy(fields({ version: '2', steps, ...more }), 'iris'))).toContain("'steps'");
    }
    for (const step of [
      {},
      { percentage: 0.001 },
      { percentage: 1, hold: 1 },
      'x',
      { percentage: 1, hold_seconds: 0 },
    ]) {
      expect(codeOf(readDeploy(fields({ version: '2', steps: [step] }), 'iris'))).toContain("'steps[0]'");
    }
  });

  test('several candidates have percentages of their own', () => {
    const others = [{ version: '3', percentage: 12.5 }];
    const read = valueOf(readDeploy(fields({ version: '2', strategy: 'canary', others }), 'iris'));
    expect(read.others).toEqual([{ version: '3', trafficBps: 1250 }]);
    for (const other of [{}, { version: '3' }, { version: '3', percentage: 0.001 }, '3=10']) {
      expect(codeOf(readDeploy(fields({ version: '2', others: [other] }), 'iris'))).toContain("'others[0]'");
    }
  });

  test('how a blue/green goes on is said in seconds, and what is watched after a promotion', () => {
    const said = { auto_promote_after_seconds: 600, preview_requests_min: 5, watch_seconds: 60 };
    const { flip } = valueOf(readDeploy(fields({ version: '2', strategy: 'blue_green', ...said }), 'iris'));
    expect(flip).toEqual({ ...{ autoPromoteAfterMs: 600_000, previewRequestsMin: 5 }, watchMs: 60_000 });
    const mirrored = { strategy: 'blue_green', mirror_percentage: 12.5 };
    expect(valueOf(readDeploy(fields({ version: '2', ...mirrored }), 'iris')).flip).toEqual({
      mirrorBps: 1250,
    });
    const limited = { strategy: 'rolling', surge: 0, max_unavailable: 1 };
    const { limits } = valueOf(readDeploy(fields({ version: '2', ...limited }), 'iris'));
    expect(limits).toEqual({ surge: 0, maxUnavailable: 1 });
    for (const wrong of [
      { watch_seconds: 0 },
      { auto_promote_after_seconds: '10m' },
      { preview_requests_min: 0 },
      { mirror_percentage: 0.001 },
      { surge: -1 },
      { max_unavailable: 0.5 },
    ]) {
      const [name = ''] = Object.keys(wrong);
      expect(codeOf(readDeploy(fields({ version: '2', ...wrong }), 'iris'))).toContain(`'${name}'`);
    }
    expect(valueOf(readPromote(fields({ watch_seconds: 0 }), 'iris')).watchMs).toBe(0);
    expect(valueOf(readPromote(fields({}), 'iris')).watchMs).toBeUndefined();
    expect(codeOf(readPromote(fields({ watch_seconds: -1 }), 'iris'))).toContain("'watch_seconds'");
  });

  test('an unknown field is refused with those that are known', () => {
    const message = codeOf(readDeploy(fields({ ...named, replica: 1 }), undefined));
    expect(message).toContain(
      'UNKNOWN_FIELD: The field "replica" is not known. Known here: model_name, model_version',
    );
    expect(codeOf(readDeploy(fields({ model_name: 'iris', version: '1' }), 'iris'))).toContain(
      '"model_name"',
    );
  });

  test.each([
    [{ model_name: 'iris' }, "'model_version' is missing"],
    [{ ...named, replicas: '2' }, "'replicas' is not a number"],
    [{ ...named, auto_scaling: 'yes' }, "'auto_scaling' is not true or false"],
    [{ ...named, steps: {} }, "'steps' is not a list"],
    [{ ...named, cpu_limit: [] }, "'cpu_limit' is neither"],
    [{ ...named, model_name: 1 }, "'model_name' is not a string"],
  ])('%j is refused', (value, problem) => {
    expect(codeOf(readDeploy(fields(value), undefined))).toContain(`INVALID_REQUEST: The field ${problem}`);
  });
});

describe('the other requests', () => {
  test('scale needs something to scale', () => {
    expect(valueOf(readScale(fields({ replicas: 2 }), 'iris'))).toMatchObject({
      model: 'iris',
      config: { replicas: 2 },
    });
    expect(codeOf(readScale(fields({ why: 'x' }), 'iris'))).toContain('INVALID_REQUEST');
  });

  test('rollback is of a model, of a revision, or both', () => {
    expect(valueOf(readRollback(fields({ to_revision: 4 }), undefined))).toMatchObject({
      revision: 4,
      model: undefined,
    });
    expect(valueOf(readRollback(fields({}), 'iris'))).toMatchObject({ model: 'iris', revision: undefined });
    for (const to_revision of [0, 1.5, '4', -1]) {
      expect(codeOf(readRollback(fields({ to_revision }), 'iris'))).toContain("'to_revision'");
    }
  });

  test('names are in the path or in the body, never in both', () => {
    expect(valueOf(readModel(fields({ model_name: 'iris' }), undefined)).model).toBe('iris');
    expect(codeOf(readModel(fields({ model_name: 'iris' }), 'iris'))).toContain('UNKNOWN_FIELD');
    expect(valueOf(readPromote(fields({ version: '2' }), 'iris')).version).toBe('2');
    expect(valueOf(readPromote(fields({ model_name: 'iris', model_version: '2' }), undefined)).version).toBe(
      '2',
    );
  });

  test('the history takes numbers as they are written in a query', () => {
    const read = (query: string): ReturnType<typeof readHistoryQuery> =>
      readHistoryQuery(new Map(new URLSearchParams(query)), 500);
    expect(valueOf(read(''))).toEqual({ model: undefined, fromRevision: undefined, limit: 100 });
    expect(valueOf(read('model=7&from_revision=3&limit=500'))).toEqual({
      model: '7',
      fromRevision: 3,
      limit: 500,
    });
    expect(codeOf(read('limit=501'))).toContain("'limit' is 501");
    expect(codeOf(read('limit=ten'))).toContain("'limit' is not a number");
  });
});

describe('register', () => {
  const named = { name: 'iris', version: '1', author: 'ada' };

  test('takes the artifact as base64 or by path, and only one of them', () => {
    const base64 = valueOf(readRegisterJson(fields({ ...named, artifact_base64: 'AAEC' })));
    expect(base64.artifact).toEqual({ from: 'bytes', bytes: Buffer.from([0, 1, 2]) });
    const path = valueOf(
      readRegisterJson(fields({ ...named, artifact_path: 'a.onnx', metrics: { f1: 0.5 } })),
    );
    expect(path.artifact).toEqual({ from: 'path', path: 'a.onnx' });
    expect(path.request.metadata.metrics).toEqual({ f1: 0.5 });
    for (const artifact of [
      {},
      { artifact_base64: 'AAEC', artifact_path: 'a' },
      { artifact_base64: 'AAE' },
    ]) {
      expect(codeOf(readRegisterJson(fields({ ...named, ...artifact })))).toContain("'artifact_base64'");
    }
    const metrics = { ...named, artifact_path: 'a', metrics: { f1: 'high' } };
    expect(codeOf(readRegisterJson(fields(metrics)))).toContain("'metrics' is not an object of numbers");
    const stage = { ...named, artifact_path: 'a', stage: 'production' };
    expect(codeOf(readRegisterJson(fields(stage)))).toContain('use one of staged, training');
    const state = { ...named, artifact_path: 'a', state: ['h=hn,2x1x64', 'c=cn'] };
    expect(valueOf(readRegisterJson(fields(state))).request.metadata.state).toEqual([
      { input: 'h', output: 'hn', shape: [2, 1, 64] },
      { input: 'c', output: 'cn' },
    ]);
    expect(codeOf(readRegisterJson(fields({ ...state, state: ['h'] })))).toContain(
      "'state' is written as input=output",
    );
  });

  test('takes facts from the query or the header, and none from both', () => {
    const facts = (query: string, header = ''): ReturnType<typeof readUploadFacts> =>
      readUploadFacts({ query: new URLSearchParams(query), header }, { name: 'iris', version: '1' });
    const read = valueOf(facts('author=ada&tag=a&tag=b&metric=f1=0.5&metric=auc=1', '{"framework": "x"}'));
    expect(read.metadata).toEqual({
      name: 'iris',
      version: '1',
      author: 'ada',
      framework: 'x',
      tags: ['a', 'b'],
      metrics: { f1: 0.5, auc: 1 },
    });
    expect(codeOf(facts('author=ada', '{"author": "eve"}'))).toContain(
      "'author' is given in the query and in",
    );
    expect(codeOf(facts('author=ada', '[1]'))).toContain('is not a JSON object');
    expect(codeOf(facts('author=ada&metric=f1'))).toContain("'metrics'");
    expect(valueOf(facts('author=ada&state=h=hn,')).metadata.state).toEqual([
      { input: 'h', output: 'hn', shape: [] },
    ]);
    expect(valueOf(facts('author=ada&fixed_batch=true')).metadata.fixedBatch).toBe(true);
    expect(codeOf(facts('author=ada&fixed_batch=8'))).toContain("'fixed_batch'");
    expect(codeOf(facts('author=ada&name=rose'))).toContain('UNKNOWN_FIELD');
    expect(valueOf(facts('author=ada', '{}')).metadata.author).toBe('ada');
    expect(queryFields(new URLSearchParams('why=a&why=b')).get('why')).toBe('b');
  });
});

describe('a form', () => {
  const type = 'multipart/form-data; boundary=line';
  const part = (name: string, content: string): string =>
    `--line\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${content}\r\n`;

  test('that a browser makes is read back, whatever the bytes are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        const form = new FormData();
        form.set('metadata', JSON.stringify({ name: 'iris', version: '1', author: 'ada' }));
        form.set('artifact', new Blob([new Uint8Array(bytes)]), 'name="metadata".onnx');
        const encoded = new Response(form);
        const body = new Uint8Array(await encoded.arrayBuffer());
        const read = valueOf(readMultipart(body, encoded.headers.get('content-type') ?? ''));
        expect(Buffer.from(read.bytes).equals(Buffer.from(bytes))).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  test('that is cut off anywhere is none', () => {
    const whole = Buffer.from(`${part('metadata', '{}')}${part('artifact', 'x\r\ny')}--line--\r\n`);
    expect(readForm(whole, type, 3)?.map(({ name, bytes }) => [name, Buffer.from(bytes).toString()])).toEqual(
      [
        ['metadata', '{}'],
        ['artifact', 'x\r\ny'],
      ],
    );
    for (let length = 0; length < whole.length - 2; length += 1) {
      expect(readForm(whole.subarray(0, length), type, 3), String(length)).toBeUndefined();
    }
    expect(readForm(whole, 'multipart/form-data', 3)).toBeUndefined();
    expect(readForm(whole, type, 1)).toBeUndefined();
  });

  test('needs its two parts, and no other', () => {
    const read = (...parts: readonly string[]): string =>
      codeOf(readMultipart(Buffer.from(`${parts.join('')}--line--`), type));
    expect(read(part('metadata', '{}'))).toContain('INVALID_REQUEST: The form needs');
    expect(read(part('metadata', '{}'), part('file', ''))).toContain('UNKNOWN_FIELD');
    expect(read(part('metadata', '{'), part('artifact', ''))).toContain('MALFORMED_JSON');
    expect(read(part('metadata', '{}'), part('artifact', ''))).toContain("'name' is missing");
  });
});
