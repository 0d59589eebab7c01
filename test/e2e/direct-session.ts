/**
 * The reference every prediction is held against: the same file, run by onnxruntime-web in the test process with the
 * options of the gateway's threads, one tensor in and one tensor out.
 */
import * as ort from 'onnxruntime-web';
import { datatypeOfOnnx, onnxTypeOf } from '../../runtime/tensor/dtype.ts';
import type { Tensor } from './tensor.ts';

ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'error';

export class DirectSession {
  readonly #session: ort.InferenceSession;

  private constructor(session: ort.InferenceSession) {
    this.#session = session;
  }

  static async open(file: Uint8Array): Promise<DirectSession> {
    const options = {
      executionProviders: ['wasm'],
      graphOptimizationLevel: 'all',
      logSeverityLevel: 3,
    } as const;
    return new DirectSession(await ort.InferenceSession.create(file, options));
  }

  /** All outputs, in the order of the model. */
  async run(inputs: readonly Tensor[]): Promise<Tensor[]> {
    const feeds = inputs.map(({ name, datatype, shape, data }): [string, ort.Tensor] => [
      name,
      new ort.Tensor(onnxTypeOf(datatype), data, shape),
    ]);
    const results = await this.#session.run(Object.fromEntries(feeds));
    return this.#session.outputNames.map((name) => {
      const result = results[name];
      const datatype = datatypeOfOnnx(result?.type ?? '');
      if (result === undefined || datatype === undefined) throw new Error(`no output ${name}`);
      return { name, datatype, shape: result.dims, data: result.data };
    });
  }
}
