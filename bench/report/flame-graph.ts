/**
 * A flame graph of a V8 CPU profile as one SVG that needs nothing else: calls from the bottom up, as wide as the time that
 * was spent in them, what waits left out. Names and times are in the titles that a browser shows on a frame. Pure.
 *
 * The form is Brendan Gregg's (The Flame Graph, CACM 59:6, 2016); the profile's that of the Chrome DevTools protocol (Profiler.Profile).
 */

export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  /** Microseconds of the monotonic clock of the system. */
  readonly startTime: number;
  /** Ids of nodes. */
  readonly samples: readonly number[];
  /** Microseconds since the sample before. */
  readonly timeDeltas: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: {
    readonly functionName: string;
    readonly url: string;
    /** From 0. */
    readonly lineNumber: number;
  };
  readonly children?: readonly number[];
}

/** Time in a function, with what it called. */
export interface Frame {
  readonly name: string;
  /** Whose code it is. */
  readonly owner: Owner;
  us: number;
  selfUs: number;
  readonly callees: Map<string, Frame>;
}

/** Folders of the project, what it is built on, and what V8 and Node do by themselves. */
export type Owner =
  'socket' | 'wire' | 'dispatch' | 'gateway' | 'runtime' | 'onnxruntime' | 'collector' | 'node';

const owners: readonly (readonly [Owner, RegExp])[] = [
  ['collector', /^\(garbage collector\)/],
  ['onnxruntime', /ort|wasm/],
  ['socket', /\/gateway\/socket\//],
  ['wire', /\/gateway\/wire\//],
  ['dispatch', /\/gateway\/(dispatch|batch|route|admission|telemetry)\//],
  ['gateway', /\/gateway\//],
  ['runtime', /\/runtime\//],
];

const colours: Readonly<Record<Owner, string>> = {
  socket: '#d9822b',
  wire: '#e3b341',
  dispatch: '#4f9d69',
  gateway: '#7fb58f',
  runtime: '#4a86c5',
  onnxruntime: '#8e6bbf',
  collector: '#c0504d',
  node: '#9aa0a6',
};

/** Frames that are no work: the loop waited. */
const waiting: ReadonlySet<string> = new Set(['(idle)']);

/** The calls of the samples within a window, on the clock of `startTime`. */
export function callTree(
  profile: CpuProfile,
  window: { readonly fromUs: number; readonly toUs: number },
): Frame {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map<number, number>();
  for (const { id, children } of profile.nodes) for (const child of children ?? []) parents.set(child, id);
  const pathOf = memoized((id: number): readonly ProfileNode[] => {
    const path: ProfileNode[] = [];
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const node = nodes.get(at);
      if (node !== undefined && node.callFrame.functionName !== '(root)') path.push(node);
    }
    return path.reverse();
  });
  const root: Frame = { name: 'all', owner: 'node', us: 0, selfUs: 0, callees: new Map() };
  let atUs = profile.startTime;
  for (const [index, id] of profile.samples.entries()) {
    const us = profile.timeDeltas[index] ?? 0;
    atUs += us;
    if (atUs < window.fromUs || atUs > window.toUs) continue;
    const path = pathOf(id);
    if (path.some(({ callFrame }) => waiting.has(callFrame.functionName))) continue;
    addPath(root, path, us);
  }
  return root;
}

function addPath(root: Frame, path: readonly ProfileNode[], us: number): void {
  let frame = root;
  frame.us += us;
  for (const node of path) {
    const name = nameOf(node);
    let callee = frame.callees.get(name);
    if (callee === undefined) {
      callee = { name, owner: ownerOf(name, node.callFrame.url), us: 0, selfUs: 0, callees: new Map() };
      frame.callees.set(name, callee);
    }
    callee.us += us;
    frame = callee;
  }
  frame.selfUs += us;
}

function memoized<Value>(of: (id: number) => Value): (id: number) => Value {
  const known = new Map<number, Value>();
  return (id) => {
    const value = known.get(id) ?? of(id);
    known.set(id, value);
    return value;
  };
}

function nameOf({ callFrame: { functionName, url } }: ProfileNode): string {
  const file = url.split('/').slice(-2).join('/');
  const called = functionName === '' ? '(anonymous)' : functionName;
  // WebAssembly functions have no names that mean anything, and there are thousands of them.
  if (called.startsWith('wasm-function') || url.startsWith('wasm:')) return 'WebAssembly';
  return file === '' ? called : `${called} ${file}`;
}

function ownerOf(name: string, url: string): Owner {
  return owners.find(([, pattern]) => pattern.test(url) || pattern.test(name))?.[0] ?? 'node';
}

/** Time of each owner, microseconds, the largest first. What it called in others is theirs. */
export function timeByOwner(root: Frame): readonly (readonly [Owner, number])[] {
  const times = new Map<Owner, number>();
  const visit = (frame: Frame): void => {
    times.set(frame.owner, (times.get(frame.owner) ?? 0) + frame.selfUs);
    for (const callee of frame.callees.values()) visit(callee);
  };
  visit(root);
  return [...times].sort(([, left], [, right]) => right - left);
}

const width = 1200;
const rowHeight = 16;
const headHeight = 44;
/** Narrower frames cannot be seen and would make the file large. Pixels. */
const widthMin = 0.6;
const letterWidth = 6.2;

/** `requests` were answered meanwhile: times are said for one of them. */
export function flameGraph(
  root: Frame,
  { title, requests }: { readonly title: string; readonly requests: number },
): string {
  const boxes: string[] = [];
  let deepest = 0;
  const draw = (frame: Frame, x: number, depth: number): void => {
    const wide = (frame.us / root.us) * width;
    if (wide < widthMin) return;
    deepest = Math.max(deepest, depth);
    boxes.push(box(frame, { x, wide, depth, perRequestUs: frame.us / requests, share: frame.us / root.us }));
    let at = x;
    const callees = [...frame.callees.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
    for (const callee of callees) {
      draw(callee, at, depth + 1);
      at += (callee.us / root.us) * width;
    }
  };
  draw(root, 0, 0);
  const height = headHeight + (deepest + 1) * rowHeight;
  const legend = Object.entries(colours).map(
    ([owner, colour], index) =>
      `<rect x="${8 + index * 110}" y="26" width="10" height="10" fill="${colour}"/><text x="${22 + index * 110}" y="35">${owner}</text>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="monospace" font-size="10">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="8" y="16" font-size="12">${escaped(title)}</text>`,
    ...legend,
    `<g transform="translate(0 ${height - rowHeight})">`,
    ...boxes,
    '</g>',
    '</svg>',
    '',
  ].join('\n');
}

function box(
  { name, owner }: Frame,
  at: {
    readonly x: number;
    readonly wide: number;
    readonly depth: number;
    readonly perRequestUs: number;
    readonly share: number;
  },
): string {
  const { x, wide, depth, perRequestUs, share } = at;
  const y = -depth * rowHeight;
  const letters = Math.floor((wide - 4) / letterWidth);
  const text =
    letters < 3
      ? ''
      : `<text x="${(x + 2).toFixed(1)}" y="${y + 11}">${escaped(name.slice(0, letters))}</text>`;
  const about = `${name}: ${perRequestUs.toFixed(2)} us a request, ${(share * 100).toFixed(1)} %`;
  return `<g><title>${escaped(about)}</title><rect x="${x.toFixed(1)}" y="${y}" width="${wide.toFixed(1)}" height="${rowHeight - 1}" fill="${colours[owner]}"/>${text}</g>`;
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
