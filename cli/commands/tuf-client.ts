/**
 * `tidegate tuf-client`: follows any TUF repository with the verifier of a serving node. Its command line is the one
 * that the conformance suite of TUF prescribes (CLIENT-CLI.md), so that suite can be run against us.
 */
import { type Command, Option } from 'commander';
import { StoreError, downloadTufTarget, initTufClient, refreshTufClient } from '../../registry-store/main.ts';
import type { Output } from '../output.ts';

interface TufClientOptions {
  readonly metadataDir: string;
  readonly metadataUrl?: string;
  readonly targetName?: string;
  readonly targetBaseUrl?: string;
  readonly targetDir?: string;
}

export function registerTufClient(program: Command, output: Output): void {
  program
    .command('tuf-client')
    .description('follow a TUF repository, one step at a time')
    .argument('<operation>', 'init, refresh or download')
    .argument('[root]', 'for init: the root.json that was carried here')
    .requiredOption('--metadata-dir <folder>', 'what this client trusts')
    .addOption(new Option('--metadata-url <url>', 'where timestamp.json is found'))
    .addOption(new Option('--target-name <path>', 'for download: which file'))
    .addOption(new Option('--target-base-url <url>', 'for download: where files are found'))
    .addOption(new Option('--target-dir <folder>', 'for download: where the file goes'))
    .addHelpText(
      'after',
      `
Ends with 0 when the step succeeded and with 1 when it did not; then the message names the check that failed.

Examples:
  $ tidegate tuf-client --metadata-dir trusted init root.json
  $ tidegate tuf-client --metadata-dir trusted --metadata-url https://models.example/metadata refresh
  $ tidegate tuf-client --metadata-dir trusted --metadata-url https://models.example/metadata \\
      --target-name models/iris/1.0.0/model.onnx --target-base-url https://models.example/targets \\
      --target-dir . download`,
    )
    .action(async (operation: string, root: string | undefined, options: TufClientOptions) => {
      const line = await runOperation(operation, root, options);
      output.out(`${line}\n`);
    });
}

async function runOperation(
  operation: string,
  root: string | undefined,
  options: TufClientOptions,
): Promise<string> {
  const metadataFolder = options.metadataDir;
  const nowMs = Date.now();
  if (operation === 'init') {
    await initTufClient({ metadataFolder, rootPath: needed(root, 'the root.json to trust'), nowMs });
    return `${metadataFolder} trusts ${root ?? ''}`;
  }
  if (operation !== 'refresh' && operation !== 'download') {
    throw new StoreError('INVALID_ARGUMENT', `${operation} is not init, refresh or download.`);
  }
  const client = { metadataFolder, metadataUrl: needed(options.metadataUrl, '--metadata-url'), nowMs };
  if (operation === 'refresh') {
    await refreshTufClient(client);
    return 'The metadata is up to date';
  }
  return downloadTufTarget({
    ...client,
    targetName: needed(options.targetName, '--target-name'),
    targetsUrl: needed(options.targetBaseUrl, '--target-base-url'),
    targetsFolder: needed(options.targetDir, '--target-dir'),
  });
}

function needed(value: string | undefined, what: string): string {
  if (value !== undefined) return value;
  throw new StoreError('INVALID_ARGUMENT', `This operation needs ${what}.`);
}
