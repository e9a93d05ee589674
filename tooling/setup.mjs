// Makes a fresh clone ready to run, and does only what is stale: install, native addon, detector model, TypeScript, page.
// Plain JavaScript with no dependency, because it runs before there are any.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = (name) => join(root, 'node_modules', '.bin', name);

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  fail(`Node ${process.versions.node} is too old: install Node 20.19 or newer.`);
}

function fail(message) {
  process.stderr.write(`setup: ${message}\n`);
  process.exit(1);
}

function run(command, args, options = {}) {
  const done = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], ...options });
  if (done.error) fail(`${command} could not be started (${done.error.message}). Is it installed?`);
  if (done.status !== 0) fail(`${command} ${args.join(' ')} failed; its output is above.`);
}

function* filesBelow(path) {
  const full = join(root, path);
  if (!existsSync(full)) return;
  if (!statSync(full).isDirectory()) {
    yield full;
    return;
  }
  for (const name of readdirSync(full).sort()) yield* filesBelow(join(path, name));
}

function hashOf(paths, salt = '') {
  const hash = createHash('sha256').update(salt);
  for (const path of paths) {
    for (const file of filesBelow(path)) hash.update(relative(root, file)).update(readFileSync(file));
  }
  return hash.digest('hex');
}

/** Runs `work` unless the stamp of an earlier success names the same inputs and every output still exists. */
function step(name, { stamp, inputs, salt, outputs }, work) {
  const now = hashOf(inputs, salt);
  const file = join(root, stamp);
  const fresh = outputs.every((path) => existsSync(join(root, path)));
  if (fresh && existsSync(file) && readFileSync(file, 'utf8') === now) return;
  process.stderr.write(`setup: ${name} ...\n`);
  const began = Date.now();
  rmSync(file, { force: true });
  work();
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, now);
  process.stderr.write(`setup: ${name} done in ${((Date.now() - began) / 1000).toFixed(1)} s\n`);
}

/** better-sqlite3 is compiled here: node-gyp must find Node's own headers beside the binary instead of fetching them. */
function installEnvironment() {
  const prefix = dirname(dirname(process.execPath));
  const local = existsSync(join(prefix, 'include', 'node', 'node.h'));
  return local && !process.env.npm_config_nodedir ? { ...process.env, npm_config_nodedir: prefix } : process.env;
}

step(
  'install from the lockfile',
  {
    stamp: 'node_modules/.tredive-install',
    inputs: ['package-lock.json', 'package.json', '.npmrc'],
    salt: `${process.versions.modules} ${process.platform} ${process.arch}`,
    outputs: ['node_modules/better-sqlite3/build/Release/better_sqlite3.node', 'node_modules/typescript'],
  },
  () => run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { env: installEnvironment() }),
);

step(
  'native addon',
  {
    stamp: 'dist/.stamps/native',
    inputs: ['native-bindings', 'node_modules/node-addon-api/package.json', 'node_modules/node-api-headers/package.json'],
    salt: `${process.platform} ${process.arch}`,
    outputs: ['dist/native/tredive.node'],
  },
  () => run('make', ['-s', '-C', 'native-bindings', '-j2']),
);

step(
  'TypeScript',
  {
    stamp: 'dist/.stamps/typescript',
    inputs: [...['src', 'samples'].filter((folder) => existsSync(join(root, folder))), 'tsconfig.json'],
    outputs: ['dist/main.js', 'dist/samples'],
  },
  () => {
    run(bin('tsc'), ['-p', 'tsconfig.json']);
    run(bin('tsc'), ['-p', 'samples/tsconfig.json']);
    for (const path of ['store/schema.sql', 'store/migrations']) {
      cpSync(join(root, 'src', path), join(root, 'dist', path), { recursive: true });
    }
  },
);

step(
  'detector model',
  {
    stamp: 'dist/.stamps/model',
    inputs: ['tooling/model', 'node_modules/@vladmandic/human/package.json'],
    outputs: ['dist/models/centernet.onnx', 'dist/models/centernet.json'],
  },
  () => run(process.execPath, ['tooling/model/convert-centernet.mjs', 'dist/models']),
);

step(
  'web page',
  {
    stamp: 'dist/.stamps/web',
    inputs: ['src/web', 'src/domain', 'src/api'],
    outputs: ['dist/web/index.html'],
  },
  () => run(bin('vite'), ['build', '--config', 'src/web/vite.config.ts', '--logLevel', 'warn']),
);
