import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { loadConfig } from '../config.js';
import { toGatewayError } from '../errors.js';
import { clockSynchronised } from '../platform/clock-sync.js';
import { findFfmpeg } from '../platform/ffmpeg.js';
import { readPrivateKey } from '../platform/keys.js';
import { native } from '../platform/native.js';
import { methodHere } from '../retention/vault/method-here.js';
import { inUse, manifestOf } from '../redaction/detectors/installed.js';
import { builtInManifest, readManifest, repairOf } from '../redaction/detectors/manifest.js';
import { define } from './command.js';

interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

const howCopied = {
  reflink: 'by reflink: at once, and without more room',
  'hard-link':
    'by hard link: at once, and without more room, because "neverRewritten" says that no closed file is written to',
  copy: 'by a full copy: what is held takes its room once more on the disk of the data folder',
} as const;
const whyCopied =
  '. On one file system with reflinks (btrfs, XFS) they would take none; or, on any one file system, by hard link, if this recorder never writes to a closed file and "neverRewritten" says so';

/** Each check says what it found, or what is wrong and what to do. */
async function attempt(name: string, look: () => string | Promise<string>): Promise<Check> {
  try {
    return { name, ok: true, detail: await look() };
  } catch (thrown) {
    const { message, remedy } = toGatewayError(thrown);
    return { name, ok: false, detail: remedy === undefined ? message : `${message} ${remedy}` };
  }
}

/** The model of a manifest, whose file must be the one it describes. */
function named(manifestPath: string): string {
  const { name, sha256, file } = readManifest(manifestPath);
  const found = createHash('sha256')
    .update(readFileSync(join(dirname(manifestPath), file)))
    .digest('hex');
  if (found === sha256) return `${name}, SHA-256 ${sha256}`;
  throw new Error(`The file of the model ${name} is not the one its manifest describes. ${repairOf(manifestPath)}`);
}

export function doctor(program: Command): void {
  define(
    program.command('doctor').description('what is installed, what is missing, what to do'),
    async ({ options }) => {
      const checks = [
        await attempt('node', () => process.version),
        await attempt('native addon', () => {
          native();
          return 'loads';
        }),
        await attempt('ffmpeg', async () => {
          const { path, version, origin } = await findFfmpeg();
          return `${version} (${origin}: ${path})`;
        }),
        await attempt('detector', () => {
          return named(builtInManifest);
        }),
        await attempt('web page', () => {
          const page = new URL('../web/index.html', import.meta.url);
          if (!existsSync(page)) throw new Error('The page is not built. Run npm run build.');
          return 'built';
        }),
        await attempt('time service', async () => {
          const synchronised = await clockSynchronised();
          if (synchronised === false)
            throw new Error(
              'No time service sets this clock. Set up chrony or systemd-timesyncd: limits are counted by it.',
            );
          return synchronised === true ? 'sets the clock' : 'whether one sets the clock cannot be told here';
        }),
        await attempt('configuration', () => loadConfig(options.config).file),
      ];
      if (checks.at(-1)?.ok === true) {
        const config = loadConfig(options.config);
        for (const root of config.roots) {
          checks.push(
            await attempt(`root ${root.id}`, () => {
              accessSync(root.path, constants.R_OK | constants.W_OK | constants.X_OK);
              return `${root.path} can be read, and footage in it deleted`;
            }),
            await attempt(`protected copies of root ${root.id}`, () => {
              const method = methodHere(root.path, config.data, root.neverRewritten);
              return method === null
                ? 'how they are made is told after the first scan'
                : howCopied[method] + (method === 'copy' && !root.neverRewritten ? whyCopied : '');
            }),
          );
        }
        checks.push(
          await attempt('detector in use', () => {
            const { detector } = config.redaction;
            const why = detector === inUse ? '' : ' (redaction.detector of the configuration)';
            return `${named(manifestOf(detector, config.data))}${why}`;
          }),
          await attempt('data folder', async () => {
            const { data } = config;
            if (!existsSync(data)) return `${data} will be made`;
            accessSync(data, constants.R_OK | constants.W_OK | constants.X_OK);
            const { bavail, bsize } = await statfs(data);
            const freeGb = (bavail * bsize) / 1e9;
            if (freeGb < 1) throw new Error(`${data} has only ${freeGb.toFixed(2)} GB free. Free some space.`);
            return `${data}, ${freeGb.toFixed(0)} GB free`;
          }),
          await attempt('keys', () => {
            const keys = join(config.data, 'keys');
            const started = existsSync(join(config.data, 'tredive.db'));
            if (!existsSync(keys) && !started) return 'will be made at the first start';
            // A log that exists is only ever continued with its own key: without it nothing starts.
            if (started) for (const name of ['audit.pem', 'package.pem']) readPrivateKey(join(keys, name));
            if ((statSync(keys).mode & 0o077) !== 0) throw new Error(`${keys} can be read by others. chmod 700 it.`);
            return 'readable by this user alone';
          }),
        );
      }
      const ok = checks.every((one) => one.ok);
      return {
        json: { ok, checks },
        text: checks.map((one) => `${one.ok ? 'ok    ' : 'WRONG '} ${one.name}: ${one.detail}`).join('\n'),
        ok,
      };
    },
  );
}
