/**
 * Watches the copies of large arrays that JavaScript makes in this process, and names the file that made each. It sees
 * `set` and `slice` of typed arrays and buffers, through which our code and onnxruntime-web copy. It does not see loops
 * over elements, the copies of the kernel and of the server library (from the socket, and of an answer that the socket
 * does not take at once), nor other threads.
 */

/** All typed arrays inherit from one prototype that has no name of its own. */
const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as TypedArrayMethods;

interface TypedArrayMethods {
  set: (this: ArrayBufferView, source: ArrayLike<number>, offset?: number) => void;
  slice: (this: ArrayBufferView, start?: number, end?: number) => ArrayBufferView;
}

/** Runs `work` and gives the files that copied `bytesMin` or more in one go meanwhile, in order. */
export async function copiesDuring(bytesMin: number, work: () => Promise<unknown>): Promise<string[]> {
  const copiers: string[] = [];
  const { set, slice } = typedArray;
  // Called below with the `this` it is given.
  // eslint-disable-next-line @typescript-eslint/unbound-method -- see the line above
  const bufferSlice = ArrayBuffer.prototype.slice;
  const note = (bytes: number): void => {
    if (bytes >= bytesMin) copiers.push(callingFile());
  };
  typedArray.set = function (source, offset) {
    note(ArrayBuffer.isView(source) ? source.byteLength : source.length);
    set.call(this, source, offset);
  };
  typedArray.slice = function (start, end) {
    const result = slice.call(this, start, end);
    note(result.byteLength);
    return result;
  };
  ArrayBuffer.prototype.slice = function (start, end) {
    const result = bufferSlice.call(this, start, end);
    note(result.byteLength);
    return result;
  };
  try {
    await work();
  } finally {
    typedArray.set = set;
    typedArray.slice = slice;
    ArrayBuffer.prototype.slice = bufferSlice;
  }
  return copiers;
}

/** The file nearest to the copy: a path below the project, or the name of the package. */
function callingFile(): string {
  const frames = (new Error().stack ?? '').split('\n').slice(1);
  const frame = frames.find((line) => !line.includes('copy-watch')) ?? '';
  const inPackage = /node_modules\/([^/]+)\//.exec(frame)?.[1];
  if (inPackage !== undefined) return inPackage;
  return /\b((?:gateway|runtime|test)\/[\w/.-]+\.ts)/.exec(frame)?.[1] ?? frame.trim();
}
