/**
 * `npm run check`: every script named `check:...`, two at a time, the longest first. Each uses one core, and what it says is
 * printed as a whole when it ends. All of them run, also behind one that fails: whoever mends wants to see everything.
 *
 * `npm test`: the tests too. They begin when no other check waits for a core and none has failed by then, so that the core
 * that is free first has something to do while the longest check goes on.
 */
import { spawn } from 'node:child_process';

const atOnce = 2;
/** The longest first, so that it is not what everybody waits for in the end. */
const checks = ['lint', 'types', 'unused', 'dependencies', 'format'];

const failed = [];
const [asked, ...whichTests] = process.argv.slice(2);
let testsWait = asked === 'tests';
await Promise.all(Array.from({ length: atOnce }, work));
if (failed.length > 0) {
  console.error(`Failed: ${failed.map((script) => `npm run ${script}`).join(', ')}`);
  process.exit(1);
}

async function work() {
  for (let name = checks.shift(); name !== undefined; name = checks.shift()) {
    const { code, said } = await run(`check:${name}`, 'pipe');
    process.stdout.write(`check:${name} ${code === 0 ? 'passes' : 'fails'}\n${code === 0 ? '' : said}`);
    if (code !== 0) failed.push(`check:${name}`);
  }
  if (!testsWait || failed.length > 0) return;
  testsWait = false;
  if ((await run('test:only', 'inherit', whichTests)).code !== 0) failed.push('test:only');
}

function run(script, output, args = []) {
  return new Promise((resolve, reject) => {
    const command = ['run', '--silent', script, '--', ...args];
    const child = spawn('npm', command, { stdio: ['ignore', output, output] });
    let said = '';
    const take = (chunk) => (said += chunk);
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, said }));
  });
}
