/**
 * How large the WebAssembly memory of this thread's runtime is. The runtime does not tell, but it makes its memory in
 * JavaScript: the constructor is watched until that has happened, and is the original again from then on. To be imported
 * before the runtime.
 */

/** What is needed of `WebAssembly`, which Node has and its types leave to those of browsers. */
interface Heap {
  readonly buffer: ArrayBufferLike;
}
type HeapConstructor = new (descriptor: { readonly initial: number; readonly shared?: boolean }) => Heap;
declare const WebAssembly: { Memory: HeapConstructor };

const Original = WebAssembly.Memory;
let heap: Heap | undefined;
/** Before any model was in it. */
let emptyBytes = 0;

class WatchedMemory extends Original {
  constructor(descriptor: ConstructorParameters<HeapConstructor>[0]) {
    super(descriptor);
    // Some code makes an empty one only to look at its prototype.
    if (descriptor.initial === 0 || descriptor.shared !== true) return;
    remember(this);
  }
}

function remember(memory: Heap): void {
  heap = memory;
  emptyBytes = memory.buffer.byteLength;
  WebAssembly.Memory = Original;
}

WebAssembly.Memory = WatchedMemory;

/** Bytes; it never shrinks. Undefined before the first model is loaded, and should the runtime make its memory elsewhere. */
export function runtimeHeapBytes(): number | undefined {
  return heap?.buffer.byteLength;
}

/** What the runtime has of it before it holds any model, bytes; 0 where that cannot be seen. */
export function emptyHeapBytes(): number {
  return emptyBytes;
}
