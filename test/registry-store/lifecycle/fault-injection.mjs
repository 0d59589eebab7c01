/**
 * Faults at the system calls of a writer: every call that changes the disk is counted, and at a chosen one the process is
 * killed, or everything from there on fails as if it had been. Plain JavaScript, because a child process loads it as it
 * is, in front of the code under test. In a kill in the middle of a write, half of the bytes are written.
 */
import fs from 'node:fs/promises';
import { constants } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const idle = { at: Number.POSITIVE_INFINITY, effect: 'none', code: 'EIO' };
let plan = idle;
let calls = 0;
const seen = [];

/** `effect`: `kill` the process, `crash` (this call and all later ones fail), `fail` (only this one), `full` (no more bytes from here on). */
export function armFaults(next) {
  plan = { ...idle, ...next };
  calls = 0;
  seen.length = 0;
}

/** How many calls there were since `armFaults`, and which. */
export function disarmFaults() {
  plan = idle;
  return { calls, seen: [...seen] };
}

function trouble(code, name) {
  return Object.assign(new Error(`${code}: injected at ${name}`), { code, injected: true });
}

/** Runs before each call; returns half of the bytes to write when the call is torn. */
async function strike(name, isGrowing, tear) {
  calls += 1;
  seen.push(name);
  if (calls < plan.at) return;
  const isHit = calls === plan.at;
  if (plan.effect === 'kill' && isHit) {
    await tear?.();
    process.kill(process.pid, 'SIGKILL');
    // The signal may take a moment; nothing more is to happen until then.
    await new Promise(() => undefined);
  }
  if (plan.effect === 'crash') {
    if (isHit) await tear?.();
    throw trouble('EIO', name);
  }
  if (plan.effect === 'fail' && isHit) throw trouble(plan.code, name);
  if (plan.effect === 'full' && isGrowing) throw trouble(plan.code, name);
}

function isWriting(flags) {
  if (typeof flags === 'number') return (flags & (constants.O_WRONLY | constants.O_RDWR)) !== 0;
  return flags !== undefined && flags !== 'r';
}

const original = { ...fs };
fs.open = async (path, flags, ...rest) => {
  if (isWriting(flags)) await strike('open', true);
  return original.open(path, flags, ...rest);
};
for (const [name, isGrowing] of [
  ['rename', false],
  ['rm', false],
  ['unlink', false],
  ['mkdir', true],
  ['link', true],
]) {
  fs[name] = async (...rest) => {
    await strike(name, isGrowing);
    return original[name](...rest);
  };
}
fs.writeFile = async (path, bytes, ...rest) => {
  await strike('writeFile', true, () => original.writeFile(path, bytes.slice(0, bytes.length / 2), ...rest));
  return original.writeFile(path, bytes, ...rest);
};

const probe = await original.open(process.execPath, 'r');
const handles = Object.getPrototypeOf(probe);
await probe.close();
const { writeFile, sync } = handles;
handles.writeFile = async function (bytes, ...rest) {
  await strike('write', true, () => writeFile.call(this, bytes.slice(0, bytes.length / 2), ...rest));
  return writeFile.call(this, bytes, ...rest);
};
handles.sync = async function (...rest) {
  await strike('sync', true);
  return sync.call(this, ...rest);
};
syncBuiltinESMExports();

const { TIDEGATE_KILL_AT: killAt } = process.env;
if (killAt !== undefined) armFaults({ at: Number(killAt), effect: 'kill' });
