/**
 * The ten lines that anybody would write to run a model: what a start costs at the least. Prints the label as JSON.
 * `node dist/bench/peers/ort-script.js <ONNX file> <input> <values as JSON>`
 */
import { readFileSync } from 'node:fs';
import { env, InferenceSession, Tensor } from 'onnxruntime-web';

const [file = '', input = '', values = '[]'] = process.argv.slice(2);
const row = Float32Array.from(JSON.parse(values) as readonly number[]);
env.wasm.numThreads = 1;
const session = await InferenceSession.create(readFileSync(file), { executionProviders: ['wasm'] });
const { label } = await session.run({ [input]: new Tensor('float32', row, [1, row.length]) });
console.log(JSON.stringify({ label: Number(label?.data[0]) }));
