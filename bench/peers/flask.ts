/** Flask + scikit-learn from the packages of the system: nothing is installed, and without them the row is left out. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Children } from '../children.ts';
import { numberField } from '../json-field.ts';
import { projectRoot } from '../project-root.ts';

export const flaskMissing = 'apt install python3-flask python3-sklearn';

/** Another Python may come first in the path; the packages belong to that of the system. */
const pythons = ['/usr/bin/python3', 'python3'];

/** Undefined where no Python has both packages. */
export function findPython(): string | undefined {
  return pythons.find(
    (python) => spawnSync(python, ['-c', 'import flask, sklearn'], { stdio: 'ignore' }).status === 0,
  );
}

export async function startFlask(children: Children, python: string): Promise<number> {
  const script = fileURLToPath(new URL('bench/peers/flask_sklearn.py', projectRoot));
  const child = children.start({ name: 'Flask', file: python, args: [script], channel: false });
  return numberField(JSON.parse(await child.firstLine()), 'port');
}
