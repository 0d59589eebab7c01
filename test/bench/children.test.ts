/** Children that start, speak, fail and stop. Who leaves with a killed suite is tested in suite.test.ts. */
import { afterEach, describe, expect, it } from 'vitest';
import { type Child, Children } from '../../bench/children.ts';

const all: Children[] = [];
afterEach(async () => {
  await Promise.all(all.splice(0).map((children) => children.stopAll()));
});

function childrenOfTest(): Children {
  const children = new Children();
  all.push(children);
  return children;
}

function run(children: Children, script: string): Child {
  return children.start({ name: 'child', file: process.execPath, args: ['-e', script], channel: false });
}

const server = 'console.log("ready"); setInterval(() => undefined, 1000)';

describe('children', () => {
  it('give their output when they ended well', async () => {
    const child = run(childrenOfTest(), 'console.log("a\\nb")');
    expect(await child.output()).toBe('a\nb');
  });

  it('fail for those who wait for output when they end badly or cannot be started', async () => {
    const children = childrenOfTest();
    await expect(run(children, 'process.exit(3)').output()).rejects.toThrow('child failed (exit code 3)');
    const missing = children.start({ name: 'none', file: '/nowhere/none', args: [], channel: false });
    await expect(missing.output()).rejects.toThrow('none failed');
  });

  it('fail for those who wait for them to be ready when they end before', async () => {
    const child = run(childrenOfTest(), '');
    await expect(child.firstLine()).rejects.toThrow('ended before it was ready (done)');
  });

  it('are all gone after stopAll, and no new ones start', async () => {
    const children = childrenOfTest();
    const servers = [run(children, server), run(children, server)];
    await Promise.all(servers.map((child) => child.firstLine()));
    await children.stopAll();
    expect(await Promise.all(servers.map((child) => child.ended))).toEqual(['SIGTERM', 'SIGTERM']);
    expect(() => run(children, server)).toThrow('The suite is stopping');
  });
});
