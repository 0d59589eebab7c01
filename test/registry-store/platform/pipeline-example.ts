/** The pipeline that docs/store.md shows, word for word but for where it imports from; a test compares and runs it. */
import { DeploymentPlatform, DeploymentStrategy, ModelMetadata } from '../../../registry-store/main.ts';

export async function release(place: { store: string; keys: string; file: string }): Promise<string> {
  const platform = new DeploymentPlatform({ store: place.store, keys: place.keys, by: 'nightly pipeline' });

  const metadata = new ModelMetadata({
    name: 'iris',
    version: '3.0.0',
    author: 'Ada',
    framework: 'scikit-learn',
    metrics: { accuracy: 0.98 },
    tags: ['nightly'],
  });
  const model = await platform.registry.registerModel(metadata, place.file, { why: 'nightly run' });
  await model.promoteToProduction({ why: 'accuracy is above 0.95' });

  await platform.deployModel('iris', '3.0.0', {
    strategy: DeploymentStrategy.BLUE_GREEN,
    minReplicas: 1,
    maxReplicas: 4,
    memoryLimit: '512Mi',
  });
  const info = await platform.getDeploymentInfo('iris');
  if (info?.candidateVersion === '3.0.0') await platform.promoteCanaryToProduction('iris');

  const { revision, deployments } = await platform.loadState();
  const history = await model.deploymentHistory();
  return `revision ${revision}: ${deployments.get('iris')?.version ?? 'nothing'} after ${history.length} events`;
}
