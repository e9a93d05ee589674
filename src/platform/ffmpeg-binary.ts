/** Which ffmpeg is used. With ffmpeg.ts the only place that knows where one comes from. */
import { execFile } from 'node:child_process';
import { accessSync, chmodSync, constants, existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';
import { GatewayError } from '../errors.js';

export interface FfmpegBinary {
  readonly path: string;
  /** As it calls itself, e.g. `5.1.9-0+deb12u1`. */
  readonly version: string;
  /** TREDIVE_FFMPEG, one on PATH, or the build that comes with the npm package. */
  readonly origin: 'environment' | 'system' | 'embedded';
  /** Release number, or null for a build from the development branch. */
  readonly major: number | null;
  /** Last year of its copyright line: the age of any build, releases or not. */
  readonly year: number;
  /** A masked copy cannot be made without the H.264 encoder. */
  readonly hasH264Encoder: boolean;
}

/** Children get nothing of our environment that they do not need: it may hold secrets, and FFREPORT writes files. */
export function childEnvironment(): NodeJS.ProcessEnv {
  const { PATH, LD_LIBRARY_PATH } = process.env;
  return {
    AV_LOG_FORCE_NOCOLOR: '1',
    LANG: 'C.UTF-8',
    ...(PATH === undefined ? {} : { PATH }),
    ...(LD_LIBRARY_PATH === undefined ? {} : { LD_LIBRARY_PATH }),
  };
}

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // the question asked; the reason does not matter
  }
};

async function describe(path: string, origin: FfmpegBinary['origin']): Promise<FfmpegBinary> {
  let banner: string;
  try {
    banner = (await promisify(execFile)(path, ['-version'], { env: childEnvironment(), timeout: 20_000 })).stdout;
  } catch (error) {
    throw new GatewayError('ffmpeg-failed', `${path} does not run: ${(error as Error).message}`, {
      remedy: 'Install ffmpeg (Debian: apt-get install ffmpeg), or name a working one in TREDIVE_FFMPEG.',
      cause: error,
    });
  }
  const version = /^ffmpeg version (\S+)/.exec(banner)?.[1];
  if (version === undefined) {
    throw new GatewayError('ffmpeg-failed', `${path} is not ffmpeg.`, { remedy: 'Correct TREDIVE_FFMPEG or PATH.' });
  }
  const major = /^n?(\d+)\./.exec(version)?.[1];
  return {
    path,
    version,
    origin,
    major: major === undefined ? null : Number(major),
    year: Number(/Copyright \(c\) \d{4}-(\d{4})/.exec(banner)?.[1] ?? 0),
    hasH264Encoder: banner.includes('--enable-libx264'),
  };
}

/** The path of the npm package's build, or null where it has none for this system. */
function embeddedPath(): string | null {
  let path: string;
  try {
    ({ path } = createRequire(import.meta.url)('@ffmpeg-installer/ffmpeg') as { path: string });
  } catch {
    return null; // it throws on systems it has no build for; findFfmpeg then says what is missing
  }
  if (!existsSync(path)) return null;
  // Its install script sets this, and install scripts may be switched off.
  if (!isExecutable(path)) chmodSync(path, 0o755);
  return path;
}

async function look(): Promise<FfmpegBinary> {
  const { TREDIVE_FFMPEG: named, PATH = '' } = process.env;
  if (named !== undefined && named !== '') return describe(named, 'environment');
  const system = PATH.split(delimiter)
    .filter((folder) => isAbsolute(folder))
    .map((folder) => join(folder, 'ffmpeg'))
    .find((path) => isExecutable(path));
  const candidates = [
    { path: embeddedPath(), origin: 'embedded' as const },
    { path: system ?? null, origin: 'system' as const },
  ];
  const asked = await Promise.allSettled(
    candidates.flatMap(({ path, origin }) => (path === null ? [] : [describe(path, origin)])),
  );
  const found = asked.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  // Told below if no other one works either.
  const trouble: unknown = asked.find((one) => one.status === 'rejected')?.reason;
  const usable = found.filter((binary) => binary.hasH264Encoder).sort((a, b) => b.year - a.year);
  if (usable[0] !== undefined) return usable[0];
  throw new GatewayError('ffmpeg-failed', 'There is no ffmpeg with libx264.', {
    remedy: 'Install ffmpeg (Debian: apt-get install ffmpeg), or name one in TREDIVE_FFMPEG.',
    cause: trouble,
  });
}

const known = new Map<string, Promise<FfmpegBinary>>();

/**
 * The ffmpeg to use: TREDIVE_FFMPEG if set, else the newer one of PATH's and the embedded build. Asked once per process and
 * environment. Throws `ffmpeg-failed` when there is none.
 */
export function findFfmpeg(): Promise<FfmpegBinary> {
  const key = `${process.env['TREDIVE_FFMPEG'] ?? ''}\n${process.env['PATH'] ?? ''}`;
  let binary = known.get(key);
  if (binary === undefined) {
    binary = look();
    known.set(key, binary);
    // A failure is not remembered: somebody may install it while we run.
    binary.catch(() => known.delete(key));
  }
  return binary;
}
