/**
 * Lint rules: typescript-eslint at its strictest, plus the bans that keep the pure folders deterministic.
 * A pure folder gets time as an argument and does no I/O, so the core can run under a simulated clock.
 */
import tseslint from 'typescript-eslint';
import { pureFolders } from './pure-folders.mjs';

const bannedGlobals = [
  ['Date', 'take `nowMs` as an argument'],
  ['performance', 'take `nowMs` as an argument'],
  ['setTimeout', 'return a "wake at" command; the shell owns the timer'],
  ['setInterval', 'return a "wake at" command; the shell owns the timer'],
  ['setImmediate', 'return a command; the shell schedules it'],
  ['queueMicrotask', 'return a command; the shell schedules it'],
  ['process', 'take configuration as an argument'],
  ['fetch', 'do I/O in a shell folder'],
].map(([name, instead]) => ({ name, message: `Pure folder: ${instead}.` }));

export default tseslint.config(
  { ignores: ['dist/**', 'dist.*/**', 'node_modules/**', 'coverage/**', '.tidegate/**'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: {
        project: ['./test/tsconfig.json'],
        tsconfigRootDir: new URL('../..', import.meta.url).pathname,
      },
    },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      eqeqeq: 'error',
      'no-restricted-syntax': [
        'error',
        { selector: 'TSEnumDeclaration', message: 'Use a union of string literals.' },
      ],
    },
  },
  {
    files: pureFolders.map((folder) => `${folder}/**/*.ts`),
    rules: {
      'no-restricted-globals': ['error', ...bannedGlobals],
      'no-restricted-properties': [
        'error',
        {
          object: 'Math',
          property: 'random',
          message: 'Pure folder: take the random number as an argument.',
        },
      ],
      'no-restricted-syntax': [
        'error',
        { selector: 'TSEnumDeclaration', message: 'Use a union of string literals.' },
        {
          selector: ':function[async=true]',
          message: 'Pure folder: no promises; return a value or a command.',
        },
        { selector: 'AwaitExpression', message: 'Pure folder: no promises; return a value or a command.' },
      ],
    },
  },
  {
    // Tests may use what a puppet needs; unsafe casts stay banned.
    files: ['test/**/*.ts'],
    rules: { '@typescript-eslint/no-non-null-assertion': 'off' },
  },
);
