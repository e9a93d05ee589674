// Makes a fresh clone ready to run, and does only what is stale: install, native addon, detector model, TypeScript, page.
// Plain JavaScript with no dependency, because it runs before there are any.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
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
    for (const file of filesBelow(path)) {
      const bytes = readFileSync(file);
      hash.update(`\0${relative(root, file)}\0${bytes.length}\0`).update(bytes);
    }
  }
  return hash.digest('hex');
}

/**
 * One set-up at a time: two of them would pull node_modules from under each other. Taken before the first stale step and kept
 * until this process ends; a lock whose process is gone was left by a kill and is taken over.
 */
let locked = false;
function lock() {
  if (locked) return;
  const file = join(root, 'dist', '.setup-lock');
  mkdirSync(dirname(file), { recursive: true });
  for (let waited = false; ; waited = true) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (isAbandoned(file)) {
      // Renamed, not removed: of two that find the same dead lock only one gets it.
      const aside = `${file}.${process.pid}`;
      try {
        renameSync(file, aside);
      } catch (error) {
        if (error.code !== 'ENOENT') throw error;
      }
      rmSync(aside, { force: true });
      continue;
    }
    if (!waited) process.stderr.write('setup: another set-up is running; waiting for it (dist/.setup-lock) ...\n');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
  }
  locked = true;
  process.on('exit', () => rmSync(file, { force: true }));
}

function isAbandoned(file) {
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    // Between creating and writing the lock is empty for a moment.
    if (pid === 0) return Date.now() - statSync(file).mtimeMs > 10_000;
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}

/** Runs `work` unless the stamp of an earlier success names the same inputs and every output still exists. */
function step(name, { stamp, inputs, salt, outputs }, work) {
  const file = join(root, stamp);
  let now = '';
  const isFresh = () => {
    now = hashOf(inputs, salt);
    const whole = outputs.every((path) => existsSync(join(root, path)));
    return whole && existsSync(file) && readFileSync(file, 'utf8') === now;
  };
  if (isFresh()) return;
  lock();
  // Another set-up may have done it while we waited.
  if (isFresh()) return;
  process.stderr.write(`setup: ${name} ...\n`);
  const began = Date.now();
  // Without its stamp a step that is cut short here is done again from its beginning.
  rmSync(file, { force: true });
  work();
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, now);
  process.stderr.write(`setup: ${name} done in ${((Date.now() - began) / 1000).toFixed(1)} s\n`);
}

function needTools() {
  const missing = ['python3', 'make', 'g++'].filter(
    (tool) => spawnSync(tool, ['--version'], { stdio: 'ignore' }).error,
  );
  if (missing.length > 0) fail(`${missing.join(', ')} missing (Debian: apt-get install python3 make g++).`);
}

/**
 * The environment in which npm runs the install scripts. better-sqlite3 is compiled here, against Node's own headers on this
 * machine: its script would else take a binary from GitHub, and node-gyp the headers from nodejs.org.
 */
function installEnvironment() {
  const prefix = dirname(dirname(process.execPath));
  const places = [process.env.npm_config_nodedir, prefix, join(homedir(), '.cache', 'node-gyp', process.versions.node)];
  const headers = places.find((place) => place && existsSync(join(place, 'include', 'node', 'node.h')));
  if (headers === undefined) {
    fail(
      `the C++ headers of Node ${process.versions.node} are not at ${join(prefix, 'include', 'node')}. The downloads of ` +
        "nodejs.org have them; with Debian's own Node install libnode-dev; or name their place: npm_config_nodedir=/path.",
    );
  }
  return { ...process.env, npm_config_nodedir: headers, npm_config_build_from_source: 'true' };
}

step(
  'install from the lockfile',
  {
    stamp: 'node_modules/.tredive-install',
    inputs: ['package-lock.json', 'package.json', '.npmrc'],
    salt: `${process.versions.modules} ${process.platform} ${process.arch}`,
    outputs: ['node_modules/better-sqlite3/build/Release/better_sqlite3.node', 'node_modules/typescript'],
  },
  () => {
    needTools();
    // --include=dev: with NODE_ENV=production npm would leave out what builds the rest.
    run('npm', ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'], { env: installEnvironment() });
  },
);

// For an image that keeps the installed packages as a layer of its own.
if (process.argv.includes('--install-only')) process.exit(0);

step(
  'native addon',
  {
    stamp: 'dist/.stamps/native',
    inputs: [
      'native-bindings',
      'node_modules/node-addon-api/package.json',
      'node_modules/node-api-headers/package.json',
    ],
    salt: `${process.platform} ${process.arch}`,
    outputs: ['dist/native/tredive.node'],
  },
  () => run('make', ['-s', '-C', 'native-bindings', '-j2']),
);

step(
  'TypeScript',
  {
    stamp: 'dist/.stamps/typescript',
    inputs: ['src', 'samples', 'tsconfig.json', 'package-lock.json'],
    outputs: ['dist/main.js', 'dist/samples/demo.js'],
  },
  () => {
    // What was compiled from a file that is gone must not stay and be found.
    const others = new Set(['native', 'models', 'web', '.stamps', '.setup-lock']);
    for (const name of readdirSync(join(root, 'dist'))) {
      if (!others.has(name)) rmSync(join(root, 'dist', name), { recursive: true });
    }
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
    inputs: ['src/web', 'src/domain', 'src/api', 'package-lock.json'],
    outputs: ['dist/web/index.html'],
  },
  () => run(bin('vite'), ['build', '--config', 'src/web/vite.config.ts', '--logLevel', 'warn']),
);
