/**
 * Stands in for onnxruntime-node, with the habits that a test can see: it is asynchronous in turns of the event loop, reads
 * no shared memory, and says what a session takes. Its one model doubles rows of two numbers; a row that begins with -1 finds
 * no memory, one with -2 keeps the thread for a while and then leaves word in the file that the URL names.
 */
import { writeFileSync } from 'node:fs';

const busyMs = 1000;
const wordFile = new URL(import.meta.url).searchParams.get('word');

class Tensor {
  constructor(type, data, dims) {
    Object.assign(this, { type, data, dims });
  }
}

function requireOwn(bytes, what) {
  if (!(bytes.buffer instanceof ArrayBuffer)) throw new Error(`Invalid argument: shared ${what}`);
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const shape = ['batch', 2];

class InferenceSession {
  inputMetadata = [{ name: 'x', isTensor: true, type: 'float32', shape }];
  outputMetadata = [{ name: 'y', isTensor: true, type: 'float32', shape }];

  static async create(model, { executionProviders, intraOpNumThreads }) {
    await turn();
    requireOwn(model, 'model');
    if (executionProviders[0] !== 'cpu' || intraOpNumThreads !== 1) throw new Error('not set up as expected');
    if (model[0] === 0) throw new Error('Failed to load model because protobuf parsing failed.');
    return new InferenceSession();
  }

  async run({ x }) {
    await turn();
    requireOwn(x.data, 'input');
    if (x.data[0] === -1) throw new Error('std::bad_alloc');
    if (x.data[0] === -2) {
      for (const endMs = performance.now() + busyMs; performance.now() < endMs;);
      writeFileSync(wordFile, 'returned');
    }
    return {
      y: new Tensor(
        'float32',
        x.data.map((value) => 2 * value),
        x.dims,
      ),
    };
  }

  async release() {}
}

// As the real one, which is a CommonJS module.
export default { InferenceSession, Tensor };
