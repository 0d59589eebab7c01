/** `tidegate serve --dev` for the tests of the bench, which all ask the same one. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export interface DevGateway {
  readonly url: string;
  /** Its own, and for files of the tests. */
  readonly folder: string;
  /** Resolves once so many more requests to the model were answered. */
  sees(count: number): Promise<void>;
  stop(): Promise<void>;
}

const command = fileURLToPath(new URL('../../../dist/bin/tidegate.js', import.meta.url));

export async function startDevGateway(): Promise<DevGateway> {
  const folder = await mkdtemp(join(tmpdir(), 'tidegate-bench-cli-'));
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('TIDEGATE_')),
  );
  const child = spawn(process.execPath, [command, 'serve', '--dev', '--port', '0'], { cwd: folder, env });
  const url = await addressOf(child);
  return {
    url,
    folder,
    sees: async (count) => {
      const wanted = (await answered(url)) + count;
      while ((await answered(url)) < wanted) await sleep(50);
    },
    stop: async () => {
      child.kill('SIGKILL');
      await once(child, 'close');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function addressOf(child: ChildProcess): Promise<string> {
  let out = '';
  for await (const chunk of child.stdout ?? []) {
    out += String(chunk);
    const found = /Tidegate serves (\S+)[\s\S]*Stop: Ctrl-C/.exec(out)?.[1];
    if (found !== undefined) {
      return found;
    }
  }
  throw new Error(`the gateway ended early: ${out}`);
}

async function answered(url: string): Promise<number> {
  const page = (await (await fetch(`${url}/v2/models/iris/stats`)).json()) as {
    readonly model_stats: readonly { readonly inference_count: number }[];
  };
  return page.model_stats.reduce((sum, { inference_count: count }) => sum + count, 0);
}
