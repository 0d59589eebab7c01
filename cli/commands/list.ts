/** `tidegate list` and `tidegate show`: what the store has, as a table and in full. */
import { type Command, Option } from 'commander';
import { findModel, findVersion } from '../../registry-store/lifecycle/find-version.ts';
import {
  type Deployment,
  type ModelSignature,
  type VersionMetadata,
  readStatus,
} from '../../registry-store/main.ts';
import { type Stage, stages } from '../../registry-store/manifest/stage.ts';
import { roleOf, versionJson } from '../../registry-store/manifest/version-facts.ts';
import { type ReaderOptions, addReaderOptions, readerOf } from '../options/store-options.ts';
import { type Output, columns, write } from '../output.ts';
import { batchingText, cacheText, resourcesText, rolloutText } from '../text/change-text.ts';
import { deploymentFields } from '../text/deployment-answer.ts';
import { momentText } from '../text/moment.ts';
import { pipelineSignature, pipelinesText, signatureLine } from '../text/pipeline-text.ts';
import { versionLines, versionRow } from '../text/version-text.ts';

interface ListOptions extends ReaderOptions {
  readonly stage?: Stage;
  readonly tag?: string;
}

export function registerList(program: Command, output: Output): void {
  addReaderOptions(program.command('list'))
    .description('list models and their versions')
    .addOption(new Option('--stage <stage>', 'only versions that stand there').choices(stages))
    .option('--tag <tag>', 'only versions with this tag')
    .addHelpText(
      'after',
      `
Examples:
  $ tidegate list
  $ tidegate list --stage production
  $ tidegate list --tag tabular --json`,
    )
    .action(async (options: ListOptions) => {
      const { snapshot } = await readStatus(readerOf(options));
      const versions = [...snapshot.models.values()]
        .flatMap((group) => [...group.values()])
        .filter(({ stage, tags }) => {
          const fitsStage = options.stage === undefined || stage === options.stage;
          return fitsStage && (options.tag === undefined || tags.includes(options.tag));
        });
      const rows = versions.map((version) => [
        version.name,
        ...versionRow(version, snapshot.deployments.get(version.name)),
      ]);
      const json = {
        revision: snapshot.revision,
        versions: versions.map((version) => ({
          ...versionJson(version),
          deployed_as: roleOf(version, snapshot.deployments.get(version.name)) ?? null,
        })),
      };
      const lines = rows.length === 0 ? ['No version of the kind is published.'] : columns(rows);
      write(output, { json, lines }, options);
    });
}

export function registerShow(program: Command, output: Output): void {
  addReaderOptions(program.command('show'))
    .description('show all that is known about a model or a version')
    .argument('<model>', 'name of the model')
    .argument('[version]', 'version of it')
    .addHelpText(
      'after',
      `
Examples:
  $ tidegate show iris
  $ tidegate show iris 2.0.0
  $ tidegate show iris 2.0.0 --json`,
    )
    .action(async (model: string, version: string | undefined, options: ReaderOptions) => {
      const { snapshot } = await readStatus(readerOf(options));
      const versions = findModel(snapshot, model);
      const deployment = snapshot.deployments.get(model);
      if (version === undefined) {
        const signature = deployment && pipelineSignature(deployment, snapshot);
        const json = {
          name: model,
          deployment: deployment === undefined ? null : deploymentFields(deployment),
          ...(signature !== undefined && { pipeline_signature: signature }),
          versions: [...versions.values()].map(versionJson),
        };
        const lines = modelLines(model, versions, { deployment, signature });
        write(output, { json, lines }, options);
        return;
      }
      const found = findVersion(snapshot, { model, version });
      const deployedAs = roleOf(found, deployment);
      const json = { ...versionJson(found), deployed_as: deployedAs ?? null };
      write(output, { json, lines: versionLines(found, deployedAs) }, options);
    });
}

function modelLines(
  model: string,
  versions: ReadonlyMap<string, VersionMetadata>,
  {
    deployment,
    signature,
  }: { readonly deployment: Deployment | undefined; readonly signature: ModelSignature | undefined },
): readonly string[] {
  const rows = [...versions.values()].map((version) => ['', ...versionRow(version, deployment)]);
  const newest = [...versions.values()].at(-1);
  return [
    model,
    ...(deployment === undefined ? ['  not deployed'] : deploymentFacts(deployment)),
    ...(signature === undefined ? [] : [signatureLine(signature)]),
    ...(newest === undefined || newest.description === '' ? [] : [`  ${newest.description}`]),
    '',
    ...columns(rows),
    '',
    ...(newest === undefined
      ? []
      : [`Published last: ${newest.version}, ${momentText(newest.createdAt)} by ${newest.published.by}`]),
  ];
}

function deploymentFacts(deployment: Deployment): readonly string[] {
  const facts = [
    rolloutText(deployment),
    pipelinesText(deployment),
    resourcesText(deployment.resources),
    batchingText(deployment.batching),
    cacheText(deployment.cache),
  ].filter((fact) => fact !== '');
  return [`  live: ${[deployment.version, ...facts].join(', ')}`];
}
