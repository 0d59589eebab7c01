/**
 * A square two-dimensional convolution over square images, with stride and zero padding. In ONNX it is one Conv.
 * It is a dense layer applied to every patch of the image: patches are gathered, the dense layer does the arithmetic,
 * and its results, one pixel after the other, are turned into planes, one channel after the other.
 */
import { tensor } from '../../../registry-store/onnx/tensor-value.ts';
import type { GraphBuilder } from '../../../registry-store/onnx/write-model.ts';
import type { SeededRandom } from '../seeded-random.ts';
import { Dense } from './dense.ts';
import type { Layer, Parameters } from './layer.ts';

export interface ConvolutionShape {
  readonly inputChannels: number;
  readonly outputChannels: number;
  /** Rows, and columns, of the input image. */
  readonly inputSide: number;
  readonly kernelSide: number;
  readonly stride: number;
  readonly padding: number;
}

export class Convolution implements Layer {
  readonly parameters: readonly Parameters[];
  private readonly shape: ConvolutionShape;
  private readonly dense: Dense;
  /** Where each value of each patch comes from inside one input image; -1 is padding. */
  private readonly sources: Int32Array;
  private readonly patchSize: number;
  private readonly outputPixels: number;

  constructor(shape: ConvolutionShape, random: SeededRandom) {
    this.shape = shape;
    this.patchSize = shape.inputChannels * shape.kernelSide ** 2;
    this.sources = patchSources(shape);
    this.outputPixels = this.sources.length / this.patchSize;
    this.dense = new Dense({ inputs: this.patchSize, outputs: shape.outputChannels }, random);
    this.parameters = this.dense.parameters;
  }

  forward(input: Float32Array, rowCount: number): Float32Array {
    const { sources } = this;
    const imageSize = input.length / rowCount;
    const patches = new Float32Array(rowCount * sources.length);
    for (let row = 0, at = 0; row < rowCount; row++) {
      for (let index = 0; index < sources.length; index++, at++) {
        const source = sources[index] ?? -1;
        if (source >= 0) patches[at] = input[row * imageSize + source] ?? 0;
      }
    }
    const pixels = this.dense.forward(patches, rowCount * this.outputPixels);
    return swapLastAxes(pixels, { rows: this.outputPixels, columns: this.shape.outputChannels });
  }

  backward(gradient: Float32Array, inputWanted: boolean): Float32Array | undefined {
    const { sources } = this;
    const pixels = swapLastAxes(gradient, { rows: this.shape.outputChannels, columns: this.outputPixels });
    const patches = this.dense.backward(pixels, inputWanted);
    if (patches === undefined) return undefined;
    const rowCount = patches.length / sources.length;
    const imageSize = this.shape.inputChannels * this.shape.inputSide ** 2;
    const image = new Float32Array(rowCount * imageSize);
    for (let row = 0, at = 0; row < rowCount; row++) {
      for (let index = 0; index < sources.length; index++, at++) {
        const source = sources[index] ?? -1;
        const to = row * imageSize + source;
        if (source >= 0) image[to] = (image[to] ?? 0) + (patches[at] ?? 0);
      }
    }
    return image;
  }

  addTo(graph: GraphBuilder, input: string): string {
    const { inputChannels, outputChannels, kernelSide, stride, padding } = this.shape;
    const kernels = swapLastAxes(this.dense.weights.values, {
      rows: this.patchSize,
      columns: outputChannels,
    });
    const shape = [outputChannels, inputChannels, kernelSide, kernelSide];
    const weights = graph.constant(`${input}_kernels`, tensor('FP32', shape, kernels));
    const biases = tensor('FP32', [outputChannels], this.dense.biases.values);
    return graph.node('Conv', [input, weights, graph.constant(`${input}_biases`, biases)], {
      attributes: {
        kernel_shape: { ints: [kernelSide, kernelSide] },
        strides: { ints: [stride, stride] },
        pads: { ints: [padding, padding, padding, padding] },
      },
    });
  }
}

/** For each output pixel, for each channel, for each cell of the kernel: an index into the image, or -1. */
function patchSources(shape: ConvolutionShape): Int32Array {
  const { inputChannels, inputSide, kernelSide, stride, padding } = shape;
  const outputSide = Math.floor((inputSide + 2 * padding - kernelSide) / stride) + 1;
  const sources: number[] = [];
  for (let pixel = 0; pixel < outputSide ** 2; pixel++) {
    for (let cell = 0; cell < inputChannels * kernelSide ** 2; cell++) {
      const channel = Math.floor(cell / kernelSide ** 2);
      const inKernel = cell % kernelSide ** 2;
      const y = Math.floor(pixel / outputSide) * stride + Math.floor(inKernel / kernelSide) - padding;
      const x = (pixel % outputSide) * stride + (inKernel % kernelSide) - padding;
      const inside = y >= 0 && y < inputSide && x >= 0 && x < inputSide;
      sources.push(inside ? (channel * inputSide + y) * inputSide + x : -1);
    }
  }
  return Int32Array.from(sources);
}

/** Turns each matrix of `rows` by `columns` in a sequence of them on its side. */
function swapLastAxes(
  values: Float32Array,
  size: { readonly rows: number; readonly columns: number },
): Float32Array {
  const { rows, columns } = size;
  const swapped = new Float32Array(values.length);
  for (let matrix = 0; matrix < values.length; matrix += rows * columns) {
    for (let row = 0, at = matrix; row < rows; row++) {
      for (let column = 0; column < columns; column++, at++) {
        swapped[matrix + column * rows + row] = values[at] ?? 0;
      }
    }
  }
  return swapped;
}
