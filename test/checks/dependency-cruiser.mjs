/** The layers of docs/architecture.md as rules on import paths. Every rule says what to do instead. */
import { pureFolders } from './pure-folders.mjs';

const pure = pureFolders.map((folder) => `^${folder}/`);

const onlyIn = (name, module, folders) => ({
  name,
  severity: 'error',
  comment: `${module} is used behind one wall, so that it can be replaced. Ask the folder that owns it.`,
  from: { path: '^(gateway|runtime|registry-store|cli|client)/', pathNot: folders },
  to: { path: `node_modules/${module}/` },
});

export default {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      comment: 'Two files that need each other are one idea, or there is a third one between them.',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-orphans',
      severity: 'error',
      comment: 'Nobody imports it: delete it or wire it in.',
      from: { orphan: true, pathNot: ['\\.d\\.ts$', '^test/', '/main\\.ts$', '^deploy/'] },
      to: {},
    },
    {
      name: 'runtime-stands-alone',
      severity: 'error',
      comment: 'runtime runs tensors and knows nothing of stores or sockets; wire it up in gateway/main.ts.',
      from: { path: '^runtime/' },
      to: { path: '^(gateway|registry-store|cli|client|bench|test|deploy)/' },
    },
    {
      name: 'store-stands-alone',
      severity: 'error',
      comment: 'registry-store knows nothing of serving; wire it up in gateway/main.ts.',
      from: { path: '^registry-store/' },
      to: { path: '^(gateway|runtime|cli|client|bench|test|deploy)/' },
    },
    {
      name: 'client-stands-alone',
      severity: 'error',
      comment: 'The client runs in browsers: it uses no other folder, no package and no Node module.',
      from: { path: '^client/' },
      to: { pathNot: '^client/' },
    },
    {
      name: 'gateway-imports-no-tools',
      severity: 'error',
      comment: 'The command line drives the gateway, never the other way round.',
      from: { path: '^gateway/' },
      to: { path: '^(cli|client|bench|test|deploy)/' },
    },
    {
      name: 'nothing-imports-test-or-bench',
      severity: 'error',
      comment: 'Move the piece that both need to the product folder it belongs to.',
      from: { path: '^(gateway|runtime|registry-store|cli|client|deploy)/' },
      to: { path: '^(bench|test)/' },
    },
    {
      name: 'examples-use-the-package',
      severity: 'error',
      comment:
        "An example shows what anybody can do: import from 'tidegate' or 'tidegate/client'; only training is ours.",
      from: { path: '^docs/' },
      to: { path: '^(gateway|runtime|registry-store|client|cli|bench|test)/' },
    },
    {
      name: 'nothing-imports-examples',
      severity: 'error',
      comment: 'Examples are to be read and run; what others need belongs into the package.',
      from: { pathNot: '^docs/' },
      to: { path: '^docs/' },
    },
    {
      name: 'dispatch-not-live',
      severity: 'error',
      comment:
        'What is live is built on the request line, which knows none of it; give dispatch an interface and wire it up in gateway/main.ts.',
      from: { path: '^gateway/dispatch/' },
      to: { path: '^gateway/live/' },
    },
    {
      name: 'pure-imports-pure',
      severity: 'error',
      comment:
        'The pure core takes values and returns values; do the I/O in a shell folder and pass the result in.',
      from: { path: pure },
      to: { path: '^(gateway|runtime|registry-store|cli)/', pathNot: pure },
    },
    {
      name: 'pure-uses-no-io',
      severity: 'error',
      comment:
        'Pure folders use no Node module except assert (and crypto in trust, which checks signatures).',
      from: { path: pure, pathNot: '^registry-store/trust/' },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?assert' },
    },
    {
      name: 'trust-uses-crypto-only',
      severity: 'error',
      comment: 'trust decides about bytes it is given; reading them is the work of storage.',
      from: { path: '^registry-store/trust/' },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?(assert|crypto)' },
    },
    onlyIn('uws-in-socket', '(uWebSockets\\.js|uwebsockets)', '^gateway/socket/'),
    onlyIn('piscina-in-pool', 'piscina', '^runtime/(pool|worker)/'),
    onlyIn('onnxruntime-in-worker', 'onnxruntime-(web|common)', '^runtime/worker/'),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types', 'default'],
    },
  },
};
