/** Every version that a deployment names, with its bytes: the live one, its candidates, the one before, and those that run beside each. */
import { candidatesOf } from './candidate-arms.ts';
import type { Deployment } from './deployment.ts';
import { pipelineModels } from './pipeline.ts';

export interface DeployedPin {
  readonly model: string;
  readonly version: string;
  readonly sha256: string;
  /** `previous` is kept for going back and takes no traffic. */
  readonly use: 'live' | 'candidate' | 'previous';
  /** The version in whose pipeline it runs; undefined for one of the deployed model itself. */
  readonly pipelineOf: string | undefined;
}

export function deployedPins(deployment: Deployment): readonly DeployedPin[] {
  const { model, previousVersion, previousSha256, previousPipeline } = deployment;
  const used = [
    { ...deployment, use: 'live' } as const,
    ...candidatesOf(deployment).map((candidate) => ({ ...candidate, use: 'candidate' }) as const),
  ];
  const previous =
    previousVersion === undefined || previousSha256 === undefined
      ? []
      : [
          {
            version: previousVersion,
            sha256: previousSha256,
            use: 'previous',
            ...(previousPipeline !== undefined && { pipeline: previousPipeline }),
          } as const,
        ];
  return [...used, ...previous].flatMap(({ version, sha256, pipeline, use }) => [
    { model, version, sha256, use, pipelineOf: undefined },
    ...pipelineModels(pipeline).map((one) => ({
      model: one.model,
      version: one.version,
      sha256: one.sha256,
      use,
      pipelineOf: version,
    })),
  ]);
}
