// Every static check, one after the other, each to its end: one run tells all that is wrong.
//   node tooling/check.mjs             checks
//   node tooling/check.mjs --fix-cpp   formats the C++ in place instead
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = (name) => join(root, 'node_modules', '.bin', name);
const inCi = process.env.CI === 'true' || process.env.CI === '1';

const cppFiles = readdirSync(join(root, 'native-bindings'), { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.(?:cc|h)$/.test(name) && !name.startsWith('build'))
  .map((name) => join('native-bindings', name))
  .sort();

const isInstalled = (command) => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;

/** Runs a command to its end and says whether it was content; everything it prints is the reader's. */
function passes(command, args) {
  const done = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if (done.error) process.stderr.write(`check: ${command} could not be started: ${done.error.message}\n`);
  return done.status === 0;
}

if (process.argv.includes('--fix-cpp')) {
  if (!isInstalled('clang-format')) {
    process.stderr.write('check: clang-format is not installed (Debian: apt-get install clang-format).\n');
    process.exit(1);
  }
  process.exit(cppFiles.length === 0 || passes('clang-format', ['-i', ...cppFiles]) ? 0 : 1);
}

const types = (project) => () => passes(bin('tsc'), ['-p', project, '--noEmit']);

const checks = [
  ['types of src', types('tsconfig.json')],
  ['types of samples', types('samples/tsconfig.json')],
  ['types of test', types('test/tsconfig.json')],
  ['types of web', types('src/web/tsconfig.json')],
  ['eslint', () => passes(bin('eslint'), ['.', '--max-warnings', '0'])],
  ['prettier', () => passes(bin('prettier'), ['--check', '--log-level', 'warn', '.'])],
  ['clang-format', checkCpp],
  [
    'import rules',
    () => passes(bin('depcruise'), ['src', 'samples', '--config', '.dependency-cruiser.cjs', '--output-type', 'err']),
  ],
  ['knip', () => passes(bin('knip'), ['--no-progress'])],
];

function checkCpp() {
  if (cppFiles.length === 0) {
    process.stderr.write('check: no C++ was found under native-bindings; this check looks in the wrong place.\n');
    return false;
  }
  if (isInstalled('clang-format')) return passes('clang-format', ['--dry-run', '-Werror', ...cppFiles]);
  const how = 'clang-format is not installed (Debian: apt-get install clang-format)';
  if (inCi) {
    process.stderr.write(`check: ${how}; in CI that is a failure.\n`);
    return false;
  }
  process.stderr.write(`check: SKIPPED, NOT CHECKED: ${how}.\n`);
  return undefined;
}

if (!existsSync(join(root, 'node_modules'))) {
  process.stderr.write('check: nothing is installed yet; run it as `npm run check`.\n');
  process.exit(1);
}

const results = checks.map(([name, check]) => {
  process.stdout.write(`check: ${name} ...\n`);
  const began = Date.now();
  const passed = check();
  const seconds = ((Date.now() - began) / 1000).toFixed(1);
  const verdict = passed === undefined ? 'SKIPPED' : passed ? 'ok' : 'FAILED';
  process.stdout.write(`check: ${name}: ${verdict} (${seconds} s)\n`);
  return { name, verdict };
});

const named = (verdict) => results.filter((result) => result.verdict === verdict).map((result) => result.name);
const [ok, skipped, failed] = ['ok', 'SKIPPED', 'FAILED'].map(named);
process.stdout.write(
  `\n${ok.length} checks ok, ${failed.length} failed, ${skipped.length} skipped` +
    `${failed.length > 0 ? `; failed: ${failed.join(', ')}` : ''}${skipped.length > 0 ? `; skipped: ${skipped.join(', ')}` : ''}\n`,
);
process.exit(failed.length > 0 ? 1 : 0);
