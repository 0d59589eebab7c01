/**
 * A voice on a real recording (npm `audio-lena`), as the voice activity detection of Silero takes it (the model that npm
 * `@ricky0123/vad-web` ships): 16 kHz, frames of 512 samples, each behind the last 64 of the frame before.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type Tensor, tensorOf } from './tensor.ts';

const require = createRequire(import.meta.url);

export const vadModel = (): Uint8Array =>
  readFileSync(require.resolve('@ricky0123/vad-web/dist/silero_vad_v5.onnx'));

/** What the model remembers, with the batch of one that every call is. */
export const vadState = [{ input: 'state', output: 'stateN', shape: [2, 1, 128] }] as const;

const sampleRate = 16_000;
const frameSamples = 512;
const contextSamples = 64;

/** The inputs of one call after the other, from `startMs` of the recording on. */
export function speechCalls(startMs: number, count: number): readonly (readonly Tensor[])[] {
  samplesOf16kHz ??= recording();
  const samples = samplesOf16kHz;
  const start = Math.floor((startMs * sampleRate) / 1000);
  const rate = tensorOf({ name: 'sr', datatype: 'INT64', shape: [] }, [BigInt(sampleRate)]);
  return Array.from({ length: count }, (_, index) => {
    const from = start + index * frameSamples;
    const data = new Float32Array(contextSamples + frameSamples);
    if (index > 0) data.set(samples.subarray(from - contextSamples, from));
    data.set(samples.subarray(from, from + frameSamples), contextSamples);
    return [{ name: 'input', datatype: 'FP32' as const, shape: [1, data.length], data }, rate];
  });
}

/** Made once: it takes longer than what is done with it. */
let samplesOf16kHz: Float32Array | undefined;

/** The recording at 16 kHz, between its samples in a straight line. */
function recording(): Float32Array {
  const wav = Buffer.from(require('audio-lena/wav-base64.js') as string, 'base64');
  let at = 12;
  const chunk = (): string => wav.toString('latin1', at, at + 4);
  let wavRate = 0;
  for (; chunk() !== 'data'; at += 8 + wav.readUInt32LE(at + 4)) {
    if (chunk() === 'fmt ') wavRate = wav.readUInt32LE(at + 12);
  }
  const count = wav.readUInt32LE(at + 4) / 2;
  const sample = (index: number): number =>
    index < count ? wav.readInt16LE(at + 8 + 2 * index) / 32_768 : 0;
  return Float32Array.from({ length: Math.floor((count * sampleRate) / wavRate) }, (_, index) => {
    const place = (index * wavRate) / sampleRate;
    const before = Math.floor(place);
    return sample(before) + (place - before) * (sample(before + 1) - sample(before));
  });
}
