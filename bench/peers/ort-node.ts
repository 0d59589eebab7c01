/**
 * onnxruntime-node, the native runtime, for comparison only: some 290 MB that nobody needs to run or to test the gateway. So
 * it is no dependency; the first bench that wants it installs it into a folder of its own, which is not committed. What its
 * install script would fetch besides (CUDA) is not.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { textField } from '../json-field.ts';
import { packageJson } from '../report/environment.ts';
import { projectRoot } from '../project-root.ts';

export type Found =
  { readonly ok: true; readonly file: string } | { readonly ok: false; readonly reason: string };

const installMsMax = 300_000;

/** `mayInstall`: otherwise only what an earlier bench installed is used. */
export function findOrtNode(mayInstall: boolean): Found {
  // The version of the other runtime, so that both run the same model in the same way.
  const version = textField(packageJson('onnxruntime-web'), 'version');
  const folder = fileURLToPath(new URL(`.tidegate/bench-peers/onnxruntime-node-${version}/`, projectRoot));
  const file = join(folder, 'node_modules/onnxruntime-node/dist/index.js');
  if (existsSync(file)) return { ok: true, file };
  if (!mayInstall)
    return { ok: false, reason: 'onnxruntime-node is not installed, and --no-install was given' };
  mkdirSync(folder, { recursive: true });
  const args = [
    'install',
    '--prefix',
    folder,
    '--no-audit',
    '--no-fund',
    '--ignore-scripts',
    `onnxruntime-node@${version}`,
  ];
  const { status } = spawnSync('npm', args, {
    cwd: folder,
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' },
    // Standard output is the report's.
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: installMsMax,
  });
  if (status === 0 && existsSync(file)) return { ok: true, file };
  return { ok: false, reason: `onnxruntime-node@${version} could not be installed with npm` };
}
