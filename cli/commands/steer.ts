/** `tidegate pause`, `resume`, `approve` and `abort`: a rollout on its way. */
import type { Command } from 'commander';
import {
  abortRollout,
  approveRollout,
  type DeploymentResult,
  type ModelOptions,
  pauseRollout,
  resumeRollout,
} from '../../registry-store/main.ts';
import { type ChangeOptions, addChangeOptions, withChange } from '../options/store-options.ts';
import { type Output, write } from '../output.ts';
import { deploymentAnswerJson, deploymentLines } from '../text/deployment-answer.ts';

interface Move {
  readonly name: string;
  readonly description: string;
  readonly help: string;
  readonly change: (options: ModelOptions) => Promise<DeploymentResult>;
}

const moves: readonly Move[] = [
  {
    name: 'pause',
    description: 'hold a rollout at the step where it is',
    help: 'Callers keep their versions. A gateway still goes back by itself when the new version fails more.',
    change: pauseRollout,
  },
  {
    name: 'resume',
    description: 'let a paused rollout go on',
    help: 'A step that was held long enough meanwhile is over at once.',
    change: resumeRollout,
  },
  {
    name: 'approve',
    description: 'let a rollout go past the next step that waits for approval',
    help: 'Steps without a hold wait for this. A gateway that is still before that step will not wait there.',
    change: approveRollout,
  },
  {
    name: 'abort',
    description: 'drop the candidate of a rollout',
    help: 'The live version takes all traffic again. The candidate stays in the store and can be tried once more.',
    change: abortRollout,
  },
];

export function registerSteering(program: Command, output: Output): void {
  for (const { name, description, help, change } of moves) {
    addChangeOptions(program.command(name))
      .description(description)
      .argument('<model>', 'name of the model')
      .addHelpText('after', `\n${help}\n\nExamples:\n  $ tidegate ${name} iris`)
      .action(async (model: string, options: ChangeOptions) => {
        const result = await withChange(options, output, (signed) => change({ ...signed, model }));
        const { deployment, changed, revision } = result;
        const lines = changed
          ? deploymentLines(deployment, revision, options)
          : [`the rollout of ${model} was like this already; nothing changed`];
        write(output, { json: deploymentAnswerJson(model, result), lines }, options);
      });
  }
}
