/**
 * Collects the operators of a model and counts its parameters, and says what of it this store does not carry: foreign
 * operator domains and tensors kept in other files.
 */
import { walkModel } from './graph-walk.ts';
import type { ModelProto, NodeProto, TensorProto } from './model-proto.ts';
import { quoted, refuse } from './onnx-refusal.ts';
import type { OnnxRefusal, OnnxRefused } from './onnx-refusal.ts';
import { functionNames, normalDomain, operatorName } from './operator-name.ts';

export interface GraphSurvey {
  readonly operators: readonly string[];
  readonly parameterCount: number;
  /** The first finding of every kind, in the order of the walk. The other fields are only good when there is none. */
  readonly refusals: readonly OnnxRefused[];
}

export function surveyGraph(model: ModelProto, allowedDomains: ReadonlySet<string>): GraphSurvey {
  const surveyor = new Surveyor(functionNames(model), allowedDomains);
  walkModel(model, {
    node: (node) => {
      surveyor.visitNode(node);
    },
    tensor: (tensor) => {
      surveyor.visitTensor(tensor);
    },
    indices: (tensor) => {
      surveyor.refuseExternal(tensor);
    },
  });
  return {
    operators: [...surveyor.operators].sort(),
    parameterCount: surveyor.parameterCount,
    refusals: [...surveyor.refusals.values()],
  };
}

export function isExternal({ dataLocation, externalData }: TensorProto): boolean {
  return (dataLocation ?? 0) !== 0 || (externalData ?? []).length > 0;
}

class Surveyor {
  readonly operators = new Set<string>();
  readonly refusals = new Map<OnnxRefusal, OnnxRefused>();
  parameterCount = 0;
  private readonly functions: ReadonlySet<string>;
  private readonly allowedDomains: ReadonlySet<string>;

  constructor(functions: ReadonlySet<string>, allowedDomains: ReadonlySet<string>) {
    this.functions = functions;
    this.allowedDomains = allowedDomains;
  }

  visitNode(node: NodeProto): void {
    const operator = operatorName(node.domain, node.opType);
    // A call of a function in the file stands for the nodes of that function, which are visited themselves.
    if (this.functions.has(operator)) return;
    this.operators.add(operator);
    const domain = normalDomain(node.domain);
    if (this.allowedDomains.has(domain)) return;
    this.refuse(
      'DISALLOWED_DOMAIN',
      `The operator ${quoted(operator)} is of the domain ${quoted(domain)}, which is not allowed here because other ` +
        'runtimes may not have it. Export with standard ONNX operators, or allow the domain if every node runs a build that has it.',
    );
  }

  visitTensor(tensor: TensorProto): void {
    this.refuseExternal(tensor);
    let elements = 1;
    for (const dim of tensor.dims ?? []) {
      if (dim < 0n) this.refuse('NOT_ONNX', `The tensor ${quoted(tensor.name)} has a negative dimension.`);
      elements *= Number(dim);
    }
    this.parameterCount += elements;
    if (!Number.isSafeInteger(this.parameterCount)) {
      this.refuse(
        'TOO_LARGE',
        `The tensor ${quoted(tensor.name)} claims more elements than a file can hold.`,
      );
    }
  }

  refuseExternal(tensor: TensorProto): void {
    if (!isExternal(tensor)) return;
    this.refuse(
      'EXTERNAL_DATA',
      `The tensor ${quoted(tensor.name)} is kept in another file, and what is signed here is one file. Put the files of the model ` +
        'beside it and publish with tidegate publish, which takes them in, or save it in one: onnx.save(onnx.load(path), single_path).',
    );
  }

  private refuse(code: OnnxRefusal, message: string): void {
    if (!this.refusals.has(code)) this.refusals.set(code, refuse(code, message));
  }
}
