/**
 * `npm run check`: every script named `check:...`, two at a time, the longest first. Each uses one core, and what it says is
 * printed as a whole when it ends. All of them run, also behind one that fails: whoever mends wants to see everything.
 */
import { spawn } from 'node:child_process';

const atOnce = 2;
/** The longest first, so that it is not what everybody waits for in the end. */
const checks = ['lint', 'types', 'unused', 'dependencies', 'format'];

const failed = [];
await Promise.all(Array.from({ length: atOnce }, work));
if (failed.length > 0) {
  console.error(`Failed: ${failed.map((name) => `npm run check:${name}`).join(', ')}`);
  process.exit(1);
}

async function work() {
  for (let name = checks.shift(); name !== undefined; name = checks.shift()) {
    const { code, said } = await run(name);
    process.stdout.write(`check:${name} ${code === 0 ? 'passes' : 'fails'}\n${code === 0 ? '' : said}`);
    if (code !== 0) failed.push(name);
  }
}

function run(name) {
  return new Promise((resolve, reject) => {
    const child = spawn('npm', ['run', '--silent', `check:${name}`], { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    const take = (chunk) => (said += chunk);
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, said }));
  });
}
