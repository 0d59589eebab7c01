/**
 * What glibc's allocator is told in the environment of every gateway process; other C libraries do not read it. It must be
 * there before a process starts, so the first line of cli/main.ts says it too (a test holds both together).
 *
 * Left alone, glibc learns from the first large block that is given back: blocks of that size no longer get mappings of
 * their own, and each thread's arena keeps twice as much that is free. What onnxruntime-web and V8 need for a moment at the
 * start would stay with the process. 1 MiB: tensors below it still come from the arenas; at 128 KiB it is 3 MiB less.
 * docs/benchmarks.md, "Memory", November 2026 (bench/scenarios/memory-scenario.ts).
 */
export const mallocSettings: Readonly<Record<string, string>> = {
  MALLOC_TRIM_THRESHOLD_: '1048576',
  MALLOC_MMAP_THRESHOLD_: '1048576',
};
