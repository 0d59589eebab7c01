/** A deployment whose version takes all traffic, made of the one before. */
import type { Deployment, VersionPin } from '../manifest/deployment.ts';

/** The deployment of a version that takes all traffic. Deploying what is live already keeps its previous version. */
export function live(model: string, pin: VersionPin, before: Deployment | undefined): Deployment {
  const previous =
    before === undefined || before.version === pin.version ? previousOf(before) : pinsBefore(before);
  return {
    model,
    version: pin.version,
    sha256: pin.sha256,
    ...previous,
    strategy: 'all',
    ...watchOf(pin, before),
  };
}

/** Saying again what is live does not end its watch. */
function watchOf(pin: VersionPin, before: Deployment | undefined): Pick<Deployment, 'watch' | 'analysis'> {
  const { watch, analysis } = before ?? {};
  if (watch === undefined || before?.version !== pin.version) return {};
  return { watch, ...(analysis !== undefined && { analysis }) };
}

type Previous = Pick<Deployment, 'previousVersion' | 'previousSha256'>;

function pinsBefore({ version, sha256 }: Deployment): Previous {
  return { previousVersion: version, previousSha256: sha256 };
}

export function previousOf(deployment: Deployment | undefined): Previous {
  const { previousVersion, previousSha256 } = deployment ?? {};
  return {
    ...(previousVersion !== undefined && { previousVersion }),
    ...(previousSha256 !== undefined && { previousSha256 }),
  };
}
