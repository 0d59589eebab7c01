/**
 * Deploys and undeploys versions of one model from a process that comes after everything else on the machine, where the system
 * can do that: who deploys is rarely on the node, and what signing takes is not the gateway's.
 */
import { spawnSync } from 'node:child_process';
import { type Child, type Children, nodeCommand } from '../children.ts';
import type { Publisher } from '../scenarios/field.ts';

export interface DeployerJob {
  readonly publisher: Publisher;
  readonly model: string;
  readonly versions: readonly string[];
}

const childModule = new URL('deployer-child.js', import.meta.url);

export class Deployer {
  readonly #versions: readonly string[];
  readonly #child: Child;

  /** `givesWay`: it comes after everything else, and may wait long on a machine that is never idle. */
  constructor(children: Children, job: DeployerJob, { givesWay }: { readonly givesWay: boolean }) {
    const command = nodeCommand('deployer', childModule, { args: [JSON.stringify(job)] });
    const { file, args } = command;
    const isBehind = givesWay && spawnSync('chrt', ['--version']).status === 0;
    this.#versions = job.versions;
    this.#child = children.start(
      isBehind ? { ...command, file: 'chrt', args: ['-i', '0', file, ...args] } : command,
    );
  }

  async deploy(version: string): Promise<void> {
    await this.#child.ask({ version: this.#versions.indexOf(version) });
  }

  async undeploy(): Promise<void> {
    await this.#child.ask({ version: -1 });
  }
}
