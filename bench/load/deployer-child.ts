/**
 * A child of the suite that deploys versions of one model, or undeploys it, as it is asked to over its channel: `version` is the
 * index of a version, and the model goes where there is none.
 */
import { deployModel, undeployModel } from '../../registry-store/main.ts';
import { numberField } from '../json-field.ts';
import type { DeployerJob } from './deployer.ts';

const { publisher, model, versions } = JSON.parse(process.argv[2] ?? 'null') as DeployerJob;
process.on('message', (question) => {
  const version = versions[numberField(question, 'version')];
  const about = { ...publisher, model, nowMs: Date.now() };
  const done = version === undefined ? undeployModel(about) : deployModel({ ...about, version });
  // A failure ends the child, which whoever asked is told.
  void done.then(() => process.send?.({ done: 1 }));
});
// The suite ends it; until then it waits to be asked.
process.channel?.ref();
