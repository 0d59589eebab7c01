/**
 * The life of a model, from training to its end, as a script to be read from top to bottom: `npm run example`. It trains two
 * versions for real, runs a gateway beside itself, leaves nothing behind, and ends with 1 if anything is not as told here.
 * What it imports from `tidegate` is all that a project of your own needs; the training would be yours.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import {
  DeploymentPlatform,
  DeploymentStrategy,
  type Model,
  ModelMetadata,
  PredictionError,
  type PredictOptions,
  initStore,
} from 'tidegate';
import { serveStore } from './gateway-process.ts';
import { trainDigits, unseenImages } from './short-training.ts';

const folder = mkdtempSync(join(tmpdir(), 'tidegate-lifecycle-'));
process.once('exit', () => {
  rmSync(folder, { recursive: true, force: true });
});
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));

// 1. A store: a folder in which everything is signed, and the keys that sign. Only `root.json` goes to those who serve.
const store = join(folder, 'store');
const keys = join(folder, 'keys');
await initStore({ folder: store, keysFolders: [keys], nowMs: Date.now(), actor: 'Ada' });
say('init', 'a store with keys of its own');

// 2. A gateway that serves this store. It follows everything below without a restart.
const root = join(keys, 'root.json');
const gateway = await serveStore({ store, root, state: join(folder, 'state') });
say('serve', `${gateway.url}, nothing is deployed yet`);

const platform = new DeploymentPlatform({ store, keys, by: 'Ada', gatewayUrl: gateway.url });
const images = unseenImages(20);

// 3. The first version: trained, published, staged, promoted. None of this puts it live.
const first = await trainAndPublish('1.0.0');
await first.promoteToStaging({ why: 'it loads' });
say('stage', `digits 1.0.0 is ${first.status}`);
await first.promoteToProduction({ why: 'good enough to begin with' });
assert.equal(await platform.getDeploymentInfo('digits'), undefined);
say('promote', `digits 1.0.0 is in ${first.status}, and not live`);

// 4. Live. A blue/green deployment stands beside the live version until it is promoted; the first has nothing to stand
// beside, and is live at once. The replicas are part of what is signed; gateways do not place them by it yet.
const blueGreen = { strategy: DeploymentStrategy.BLUE_GREEN, replicas: 3 };
const begun = await platform.deployModel('digits', '1.0.0', blueGreen, { why: 'the first one' });
assert.deepEqual([begun.version, begun.candidateVersion, begun.replicas], ['1.0.0', undefined, 3]);
say('deploy', 'digits 1.0.0 by blue/green, live at once as the first; the store says 3 replicas');

// 5. Predictions for images that the training has not seen.
await answers('1.0.0');
const { prediction, modelVersion } = await platform.predict('digits', images.pixels);
const right = prediction.filter((label, index) => label === images.labels[index]).length;
assert.equal(modelVersion, '1.0.0');
assert(right > images.labels.length / 2, `only ${right} of ${images.labels.length} are right`);
say('predict', `digits 1.0.0 reads ${right} of ${images.labels.length} images right`);

// 6. The second version, as a canary: it gets a tenth of the callers.
const second = await trainAndPublish('2.0.0');
assert(accuracyOf(second) > accuracyOf(first), 'digits 2.0.0 is no better than 1.0.0');
await second.promoteToStaging({ why: 'it loads' });
say('stage', `digits 2.0.0 is ${second.status}`);
const tenth = { strategy: DeploymentStrategy.CANARY, canaryTrafficPercentage: 10 };
const canary = await platform.deployModel('digits', '2.0.0', tenth, { why: 'more accurate on paper' });
assert.deepEqual([canary.version, canary.candidateVersion], ['1.0.0', '2.0.0']);
assert.deepEqual([canary.canaryTrafficPercentage, canary.replicas], [10, 3]);
say('deploy', 'digits 2.0.0 as a canary at 10%; 1.0.0 is live');

// 7. The split. Callers are divided by their keys, so that each of them stays with the version it met.
await answers('2.0.0');
const callers = Array.from({ length: 500 }, (_, number) => `caller-${number}`);
const met = await versionsMet(callers);
const onCanary = met.filter((version) => version === '2.0.0').length;
// Five standard deviations of a fair draw: wide enough to hold every time, narrow enough to show that it is a tenth.
assert(onCanary > 15 && onCanary < 85, `${onCanary} of 500 callers met the canary`);
say('watch', `2.0.0 answered ${onCanary} of 500 callers, 1.0.0 the others`);
assert.deepEqual(await versionsMet(callers), met);
say('watch', 'all of them asked again, and each met the same version');

// 8. Nobody complained: it goes to production, and takes all requests. The version before stays loaded for going back.
await second.promoteToProduction({ why: 'nobody complained' });
const promoted = await platform.promoteCanaryToProduction('digits', { why: 'nobody complained' });
assert.deepEqual([promoted.version, promoted.previousVersion], ['2.0.0', '1.0.0']);
assert.equal(promoted.candidateVersion, undefined);
await until('every caller to meet 2.0.0', async () =>
  (await versionsMet(callers)).every((version) => version === '2.0.0'),
);
say('promote', `digits 2.0.0 is in ${second.status} and answers every caller; 1.0.0 is kept for going back`);

// 9. More replicas. The version and everything else about the deployment stay as they are.
const scaled = await platform.scaleDeployment('digits', 5, { why: 'the holidays' });
assert.deepEqual([scaled.version, scaled.replicas], ['2.0.0', 5]);
say('scale', 'digits: the store says 5 replicas');

// 10. The end of the first version, while the second one serves. Whoever asks for the first is refused.
const left = await platform.undeployModel('digits', { version: '1.0.0', why: 'nobody goes back' });
assert.deepEqual([left?.version, left?.previousVersion], ['2.0.0', undefined]);
const gone = await refusal({ version: '1.0.0' });
assert.deepEqual([gone.status, gone.code], [404, 'UNKNOWN_VERSION']);
assert.deepEqual([await versionFor(), await versionFor({ version: '2.0.0' })], ['2.0.0', '2.0.0']);
say('undeploy', 'digits 1.0.0: refused with 404 UNKNOWN_VERSION; 2.0.0 answers');

// 11. The end of the second one, and so of the model.
assert.equal(await platform.undeployModel('digits', { version: '2.0.0', why: 'the end' }), undefined);
for (const asked of [{}, { version: '2.0.0' }, { version: '1.0.0' }]) {
  const refused = await refusal(asked);
  assert.deepEqual([refused.status, refused.code], [404, 'UNKNOWN_MODEL']);
}
say('undeploy', 'digits 2.0.0: refused with 404 UNKNOWN_MODEL, and so is 1.0.0; nothing is live');

// 12. Undeploying archives nothing: both versions could be deployed again, and the store knows who did what, and why.
const kept = await platform.registry.listModels({ name: 'digits', status: 'production' });
assert.deepEqual(
  kept.map(({ version }) => version),
  ['1.0.0', '2.0.0'],
);
const history = await platform.registry.history({ model: 'digits' });
assert(history.every(({ by, why }) => by === 'Ada' && why !== ''));
say('history', `${history.map(({ action }) => action).join(', ')}; both versions are still in production`);

await gateway.stop();
say('stop', 'the gateway has finished; store, keys and models go with this folder');

function say(step: string, text: string): void {
  console.log(`${step.padEnd(9)} ${text}`);
}

/** In `training`, the stage in which nothing can be deployed yet, with the accuracy that was measured. */
async function trainAndPublish(version: string): Promise<Model> {
  const { file, metrics, description, trainedOn } = await trainDigits(version);
  const { accuracy, held_out_rows: unseen } = metrics;
  say('train', `digits ${version} on ${trainedOn} images: accuracy ${accuracy} on ${unseen} others`);
  const metadata = new ModelMetadata({
    name: 'digits',
    version,
    author: 'Ada',
    description,
    metrics: { ...metrics },
    tags: ['example'],
  });
  const model = await platform.registry.registerModel(metadata, file, { stage: 'training', why: 'trained' });
  say('publish', `digits ${version} with ${model.parameterCount} parameters is in ${model.status}`);
  return model;
}

function accuracyOf({ metadata }: Model): number {
  return metadata.metrics['accuracy'] ?? NaN;
}

/** The version that answers for one image. */
async function versionFor(options: PredictOptions = {}): Promise<string> {
  return (await platform.predict('digits', images.pixels.slice(0, 1), options)).modelVersion;
}

/** The version that each caller meets; a few of them ask at the same time. */
async function versionsMet(everyone: readonly string[]): Promise<readonly string[]> {
  const found: string[] = [];
  for (let from = 0; from < everyone.length; from += 20) {
    const asking = everyone.slice(from, from + 20);
    found.push(...(await Promise.all(asking.map((routingKey) => versionFor({ routingKey })))));
  }
  return found;
}

/** A gateway looks at its store again and again, so a change is in force a moment after it was signed. */
async function answers(version: string): Promise<void> {
  await until(`digits ${version} to answer`, async () => {
    try {
      return (await versionFor({ version })) === version;
    } catch (error) {
      const comes = ['UNKNOWN_MODEL', 'UNKNOWN_VERSION', 'MODEL_NOT_READY'];
      if (error instanceof PredictionError && comes.includes(error.code)) return false;
      throw error;
    }
  });
}

async function refusal(asked: PredictOptions): Promise<PredictionError> {
  let refused: unknown;
  await until('a prediction to be refused', async () => {
    refused = await versionFor(asked).catch((error: unknown) => error);
    return refused instanceof Error;
  });
  if (refused instanceof PredictionError) return refused;
  throw refused;
}

async function until(what: string, look: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  while (!(await look())) {
    assert(performance.now() < deadlineMs, `waited 10 s for ${what}`);
    await pause(20);
  }
}
