/** A deployment whose version takes all traffic, made of the one before. */
import { pinOf } from '../manifest/candidate-arms.ts';
import type { Deployment, VersionPin } from '../manifest/deployment.ts';
import { isSamePipeline } from '../manifest/pipeline.ts';

/** The deployment of a version that takes all traffic. Deploying what is live already keeps its previous version. */
export function live(model: string, pin: VersionPin, before: Deployment | undefined): Deployment {
  const previous =
    before === undefined || before.version === pin.version ? previousOf(before) : pinsBefore(before);
  return {
    model,
    ...pinOf(pin),
    ...previous,
    strategy: 'all',
    ...watchOf(pin, before),
  };
}

/** Saying again what is live does not end its watch; with another pipeline it is something else that is live. */
function watchOf(pin: VersionPin, before: Deployment | undefined): Pick<Deployment, 'watch' | 'analysis'> {
  const { watch, analysis } = before ?? {};
  if (watch === undefined || before?.version !== pin.version) return {};
  if (!isSamePipeline(before.pipeline, pin.pipeline)) return {};
  return { watch, ...(analysis !== undefined && { analysis }) };
}

type Previous = Pick<Deployment, 'previousVersion' | 'previousSha256' | 'previousPipeline'>;

function pinsBefore({ version, sha256, pipeline }: Deployment): Previous {
  return {
    previousVersion: version,
    previousSha256: sha256,
    ...(pipeline !== undefined && { previousPipeline: pipeline }),
  };
}

export function previousOf(deployment: Deployment | undefined): Previous {
  const { previousVersion, previousSha256, previousPipeline } = deployment ?? {};
  return {
    ...(previousVersion !== undefined && { previousVersion }),
    ...(previousSha256 !== undefined && { previousSha256 }),
    ...(previousPipeline !== undefined && { previousPipeline }),
  };
}
