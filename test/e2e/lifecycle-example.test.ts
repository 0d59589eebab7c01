/** The example of the guide, run as the program that a newcomer runs: what it says, how it ends, what it leaves behind. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

const example = fileURLToPath(new URL('../../dist/docs/examples/lifecycle.js', import.meta.url));

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
  /** What is left where temporary files go. */
  readonly left: readonly string[];
}

async function runExample(variables: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const folder = await mkdtemp(join(tmpdir(), 'tidegate-example-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('TIDEGATE_')),
  );
  const child = spawn(process.execPath, [example], { env: { ...env, TMPDIR: folder, ...variables } });
  onTestFinished(() => void child.kill('SIGKILL'));
  let [out, err] = ['', ''];
  child.stdout.on('data', (text: Buffer) => (out += text.toString()));
  child.stderr.on('data', (text: Buffer) => (err += text.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out, err, left: await readdir(folder) };
}

const told: readonly RegExp[] = [
  /^init +a store with keys of its own$/,
  /^serve +http:\/\/127\.0\.0\.1:\d+, nothing is deployed yet$/,
  /^train +digits 1\.0\.0 on 2666 images: accuracy 0\.8\d* on 666 others$/,
  /^publish +digits 1\.0\.0 with 7850 parameters is in training$/,
  /^stage +digits 1\.0\.0 is staged$/,
  /^promote +digits 1\.0\.0 is in production, and not live$/,
  /^deploy +digits 1\.0\.0 by blue\/green, live at once as the first; the store says 3 replicas$/,
  /^predict +digits 1\.0\.0 reads 1\d of 20 images right$/,
  /^train +digits 2\.0\.0 on 2666 images: accuracy 0\.8\d* on 666 others$/,
  /^publish +digits 2\.0\.0 with 39546 parameters is in training$/,
  /^stage +digits 2\.0\.0 is staged$/,
  /^deploy +digits 2\.0\.0 as a canary at 10%; 1\.0\.0 is live$/,
  /^watch +2\.0\.0 answered \d{2,3} of 500 callers, 1\.0\.0 the others$/,
  /^watch +all of them asked again, and each met the same version$/,
  /^promote +digits 2\.0\.0 is in production and answers every caller; 1\.0\.0 is kept for going back$/,
  /^scale +digits: the store says 5 replicas$/,
  /^undeploy +digits 1\.0\.0: refused with 404 UNKNOWN_VERSION; 2\.0\.0 answers$/,
  /^undeploy +digits 2\.0\.0: refused with 404 UNKNOWN_MODEL, and so is 1\.0\.0; nothing is live$/,
  /^history +publish, stage, stage, deploy, publish, stage, deploy, stage, promote, scale, undeploy, undeploy; both versions are still in production$/,
  /^stop +the gateway has finished; store, keys and models go with this folder$/,
];

// Two trainings on a machine that runs other tests beside them.
test(
  'takes a model through its life, says so line by line, and leaves nothing behind',
  {
    timeout: 60_000,
  },
  async () => {
    const { code, out, err, left } = await runExample();
    expect({ code, err, left }).toEqual({ code: 0, err: '', left: [] });
    const lines = out.trimEnd().split('\n');
    told.forEach((line, index) => {
      expect(lines[index]).toMatch(line);
    });
    expect(lines).toHaveLength(told.length);
  },
);

test('ends with 1 when something is not as told, and leaves nothing behind then either', async () => {
  const { code, err, left } = await runExample({ TIDEGATE_SERVER_NAME: 'é' });
  expect({ code, left }).toEqual({ code: 1, left: [] });
  expect(err).toContain('A server name is 1 to 100 printable ASCII characters.');
  expect(err).toContain('the gateway ended before it served');
});
