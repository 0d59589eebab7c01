/** Which models cost the same whatever the values, and which one value can make endless or huge. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { hasSteadyCost } from '../../../registry-store/onnx/steady-cost.ts';
import { tensor } from '../../../registry-store/onnx/tensor-value.ts';
import { GraphBuilder, tensorType, writeOnnxModel } from '../../../registry-store/onnx/write-model.ts';

/** From `x` FP32 [batch, 4] to `y`, which `build` names. */
function model(build: (graph: GraphBuilder, x: string) => string): Uint8Array {
  const graph = new GraphBuilder('model');
  const y = build(graph, graph.input('x', tensorType('FP32', ['batch', 4])));
  graph.node('Identity', [y], { outputs: ['y'] });
  graph.output('y', tensorType('FP32', ['batch', 4]));
  return writeOnnxModel(graph);
}

const largest = (graph: GraphBuilder, x: string): string =>
  graph.node('Cast', [graph.node('ReduceMax', [x])], { attributes: { to: { int: 7 } } });

function branch(build: (graph: GraphBuilder) => string): GraphBuilder {
  const graph = new GraphBuilder('branch');
  graph.output(build(graph), tensorType('FP32', ['batch', 4]));
  return graph;
}

function either(graph: GraphBuilder, condition: string, build: (graph: GraphBuilder) => string): string {
  const attributes = { then_branch: { graph: branch(build) }, else_branch: { graph: branch(build) } };
  return graph.node('If', [condition], { attributes });
}

describe('the cost is steady', () => {
  it.each(['iris-1.0.0', 'iris-2.0.0', 'digits-1.0.0', 'digits-2.0.0'])('of %s', (name) => {
    const file = readFileSync(new URL(`../../../deploy/demo/models/${name}.onnx`, import.meta.url));
    expect(hasSteadyCost(file)).toBe(true);
  });

  it.each<{ readonly what: string; readonly build: Parameters<typeof model>[0] }>([
    {
      what: 'a size is constant',
      build: (graph, x) => graph.node('Expand', [x, graph.constant('to', tensor('INT64', [2], [1, 4]))]),
    },
    {
      what: 'a size is made of shapes',
      build: (graph, x) => {
        const twice = [graph.node('Shape', [x]), graph.constant('two', tensor('INT64', [1], [2]))];
        return graph.node('Expand', [x, graph.node('Mul', twice)]);
      },
    },
    { what: 'a size is left out', build: (graph, x) => graph.node('Resize', [x, '', '']) },
    {
      what: 'a branch is chosen by a shape',
      build: (graph, x) => {
        const rows = graph.node('Size', [x]);
        const isOne = graph.node('Equal', [rows, graph.constant('four', tensor('INT64', [], [4]))]);
        return either(graph, isOne, (inner) => inner.node('Relu', [x], { outputs: ['z'] }));
      },
    },
  ])('where $what', ({ build }) => {
    expect(hasSteadyCost(model(build))).toBe(true);
  });
});

describe('the cost is not steady', () => {
  it.each<{ readonly what: string; readonly build: Parameters<typeof model>[0] }>([
    { what: 'there is a loop', build: (graph, x) => graph.node('Loop', [largest(graph, x), '', x]) },
    { what: 'there is a scan', build: (graph, x) => graph.node('Scan', [x]) },
    { what: 'values say how many rows come out', build: (graph, x) => graph.node('NonZero', [x]) },
    ...['Expand', 'Tile', 'Resize', 'Upsample', 'Pad', 'OneHot'].map((operator) => ({
      what: `a value sizes ${operator}`,
      build: (graph: GraphBuilder, x: string) => graph.node(operator, [x, largest(graph, x)]),
    })),
    {
      what: 'a value ends a range',
      build: (graph, x) => {
        const [from, by] = [0, 1].map((value) => graph.constant(`c${value}`, tensor('INT64', [], [value])));
        return graph.node('Range', [from!, largest(graph, x), by!]);
      },
    },
    {
      what: 'a value sizes a constant',
      build: (graph, x) => graph.node('ConstantOfShape', [largest(graph, x)]),
    },
    {
      what: 'a random number sizes a tensor',
      build: (graph, x) => graph.node('Expand', [x, graph.node('RandomUniform', [])]),
    },
    {
      what: 'a value chooses a branch',
      build: (graph, x) => either(graph, x, (inner) => inner.node('Relu', [x])),
    },
    {
      what: 'it is so inside of a branch',
      build: (graph, x) => {
        const always = graph.constant('always', tensor('BOOL', [], [1]));
        return either(graph, always, (inner) => inner.node('Tile', [x, largest(inner, x)]));
      },
    },
    {
      what: 'an operator is of another domain',
      build: (graph, x) => graph.node('Gelu', [x], { domain: 'com.microsoft' }),
    },
  ])('where $what', ({ build }) => {
    expect(hasSteadyCost(model(build))).toBe(false);
  });

  it('of what is no model', () => {
    expect(hasSteadyCost(Uint8Array.of(1, 2, 3))).toBe(false);
  });
});
