/**
 * What onnxruntime says when it cannot load a model, in words for the person who exported it. The runtime has one error
 * for everything and puts the rest into a sentence, with paths of the machine it was built on; those are taken out.
 */
import type { WorkerFailure } from '../protocol/worker-task.ts';

/** Closed and part of the API of `tidegate inspect`: never reworded, only added. */
export type RuntimeRefusalCode =
  | 'UNSUPPORTED_OPERATOR'
  | 'UNSUPPORTED_OPSET'
  | 'UNSUPPORTED_IR_VERSION'
  /** An operator, input or weight of a type that the runtime has no code for. */
  | 'UNSUPPORTED_DATATYPE'
  /** Parts of the model do not fit together. */
  | 'INVALID_MODEL'
  /** The runtime sees other inputs and outputs than the file declares. */
  | 'SIGNATURE_MISMATCH'
  /** Out of memory, or broken. */
  | 'RUNTIME_BROKE';

export interface RuntimeRefusal {
  readonly code: RuntimeRefusalCode;
  /** What is wrong and what to do about it, in whole sentences. */
  readonly message: string;
}

interface Wording {
  readonly code: RuntimeRefusalCode;
  readonly pattern: RegExp;
  readonly message: (...found: string[]) => string;
}

/** What begins the detail of a thread that was lost to the runs that were to warm a model up. */
export const warmUpBroke = 'the warm-up run broke the runtime: ';

const wordings: readonly Wording[] = [
  {
    code: 'RUNTIME_BROKE',
    pattern: new RegExp(`^${warmUpBroke}(.*)`),
    message: (how) =>
      `The run that warms it up broke the runtime (${how}), and requests would too, so no node serves it. Look for sizes ` +
      'inside of the model that are too large: the runtime has 4 GiB for file, weights and results together.',
  },
  {
    code: 'UNSUPPORTED_OPERATOR',
    pattern: /No Op registered for (\S+) with domain_version of (\d+)/,
    message: (operator, version) =>
      `The runtime has no operator ${operator} in version ${version} of its operator set. Export with a version that ` +
      'has it, or build the model from standard operators.',
  },
  {
    code: 'UNSUPPORTED_DATATYPE',
    pattern: /Could not find an implementation for ([^\s(]+)\((\d+)\)/,
    message: (operator, version) =>
      `The runtime has the operator ${operator} (version ${version}), but not for the datatypes the model gives it. ` +
      'Put a Cast to float32 before it, or export the model in float32.',
  },
  {
    code: 'UNSUPPORTED_OPSET',
    pattern: /Opset (\d+) is under development[^]*for domain (\S+) is till opset (\d+)/,
    message: (version, domain, newest) =>
      `The model uses version ${version} of the operator set ${domain}; the runtime knows versions up to ${newest}. ` +
      `Export it with target_opset ${newest} or below.`,
  },
  {
    code: 'UNSUPPORTED_IR_VERSION',
    pattern: /Unsupported model IR version: (\d+), max supported IR version: (\d+)/,
    message: (version, newest) =>
      `The file is of IR version ${version}; the runtime reads up to ${newest}. Set model.ir_version = ${newest} ` +
      'before saving it, or export with an older onnx package.',
  },
  {
    code: 'UNSUPPORTED_DATATYPE',
    pattern: /Type '([^']+)' of \w+ parameter \(([^)]*)\) of operator \(([^)]*)\)/,
    message: (type, parameter, operator) =>
      `The operator ${operator} does not take ${type}, which it gets as ${JSON.stringify(parameter)}. Put a Cast before it.`,
  },
  {
    code: 'UNSUPPORTED_DATATYPE',
    pattern: /unsupported data type: (\d+)/,
    message: (type) =>
      `The runtime cannot give or take tensors of ONNX element type ${type}. Add a Cast to float32.`,
  },
  {
    code: 'RUNTIME_BROKE',
    // A C++ exception that nobody caught comes out of WebAssembly as the number of its address.
    pattern: /^\d+$|out of memory|bad_alloc|allocate memory|OrtMemoryInfo|Aborted\(/i,
    message: () =>
      'The runtime ran out of memory or broke on the model. It has 4 GiB for file, weights and results together.',
  },
];

/** `detail` is what the runtime said; a thread that was lost counts as a runtime that broke. */
export function refusalWords(failure: {
  readonly code: WorkerFailure['code'] | 'LOST';
  readonly detail: string;
}): RuntimeRefusal {
  const words = runtimeWords(failure.detail);
  if (failure.code === 'SIGNATURE_MISMATCH') {
    return {
      code: 'SIGNATURE_MISMATCH',
      message: `The runtime sees other tensors than the file declares: ${words}.`,
    };
  }
  for (const { code, pattern, message } of wordings) {
    const found = pattern.exec(failure.detail);
    if (found !== null) return { code, message: message(...found.slice(1)) };
  }
  if (failure.code === 'LOST') {
    return { code: 'RUNTIME_BROKE', message: `The runtime broke on the model: ${words}` };
  }
  return { code: 'INVALID_MODEL', message: `The runtime refuses the model: ${words}` };
}

/** The sentence without error numbers, and without paths and functions of the machine that built the runtime. */
export function runtimeWords(detail: string): string {
  return detail
    .replace(/(Can't create a session|failed to call OrtRun\(\))\. ERROR_CODE: \d+, ERROR_MESSAGE: /g, '')
    .replace(/\/\S+\.(cc|h):\d+ .*?\)( \[\w+ = [^\]]*\])? /g, '')
    .replace(/\[ONNXRuntimeError\] : \d+ : \w+ : |\w+\.(cc|h):\d+ \w+ /g, '')
    .replace(/\s+/g, ' ')
    .trim();
}
