/** Small recordings made on the spot by ffmpeg, so that these tests mean something without any footage. */
import { spawnSync } from 'node:child_process';
import { chmodSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';

const installed = createRequire(import.meta.url)('@ffmpeg-installer/ffmpeg') as { path: string };

function program(): string {
  const { path } = installed;
  if ((statSync(path).mode & 0o111) === 0) chmodSync(path, 0o755);
  return path;
}

/** Runs ffmpeg and gives its standard output; throws with its last words where it fails. */
export function ffmpeg(...args: string[]): string {
  const run = spawnSync(program(), ['-v', 'error', '-nostdin', '-y', ...args], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`ffmpeg ${args.join(' ')}: ${run.stderr}`);
  return run.stdout;
}

const seconds = 6;
const picture = ['-f', 'lavfi', '-i', `testsrc2=size=192x108:rate=10:duration=${seconds}`];
const sound = ['-f', 'lavfi', '-i', `sine=frequency=440:sample_rate=16000:duration=${seconds}`];
const h264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '10', '-pix_fmt', 'yuv420p'];
const dated = ['-metadata', 'creation_time=2026-03-29T00:54:00.000000Z'];

/** How each kind is made; every one lasts 6 s at 10 frames a second, 192x108. */
export const recipes = {
  'plain.mp4': [...picture, ...h264, ...dated],
  'sound.mp4': [...picture, ...sound, ...h264, '-c:a', 'aac'],
  'faststart.mp4': [...picture, ...h264, '-movflags', 'faststart'],
  'bframes.mp4': [...picture, '-c:v', 'libx264', '-bf', '2', '-g', '20', '-pix_fmt', 'yuv420p'],
  'fragments.mp4': [...picture, ...h264, ...dated, '-movflags', 'frag_keyframe+empty_moov+default_base_moof'],
  'fragments-sound.mp4': [...picture, ...sound, ...h264, '-c:a', 'aac', '-movflags', 'frag_keyframe+empty_moov'],
  'hevc.mp4': [
    ...picture,
    '-c:v',
    'libx265',
    '-x265-params',
    'log-level=error',
    '-tag:v',
    'hvc1',
    '-pix_fmt',
    'yuv420p',
  ],
  'plain.mov': [...picture, ...h264, ...dated],
  'plain.mkv': [...picture, ...sound, ...h264, '-c:a', 'aac', ...dated],
  'plain.webm': [...picture, '-c:v', 'libvpx', '-b:v', '200k'],
  'plain.ts': [...picture, ...sound, ...h264, '-c:a', 'aac'],
  'mjpeg.avi': [...picture, '-c:v', 'mjpeg'],
  'h264-sound.avi': [...picture, ...sound, ...h264, '-c:a', 'pcm_s16le'],
  'sound-only.mp4': [...sound, '-c:a', 'aac'],
} as const satisfies Record<string, readonly string[]>;

export type Recipe = keyof typeof recipes;

export function make(folder: string, name: Recipe): string {
  const path = `${folder}/${name}`;
  ffmpeg(...recipes[name], path);
  return path;
}

const boxAt = (bytes: Buffer, type: string, from = 0): number => {
  const at = bytes.indexOf(type, Math.max(from, 4), 'latin1');
  if (at < 0) throw new Error(`no ${type}`);
  return at - 4;
};

/** A fragmented MP4 with the box that MediaMTX writes: its own wall clock at the first frame, and its count of segments. */
export function withRecorderClock(
  bytes: Buffer,
  us: number,
  { stream, number }: { stream: string; number: bigint } = { stream: '00'.repeat(16), number: 0n },
): Buffer {
  const mtxi = Buffer.alloc(52);
  mtxi.writeUInt32BE(52, 0);
  mtxi.write('mtxi', 4, 'latin1');
  mtxi.write(stream, 12, 'hex');
  mtxi.writeBigUInt64BE(number, 28);
  mtxi.writeBigInt64BE(BigInt(us) * 1000n, 44);
  const udta = Buffer.concat([Buffer.from([0, 0, 0, 60]), Buffer.from('udta'), mtxi]);
  const moov = boxAt(bytes, 'moov');
  const end = moov + bytes.readUInt32BE(moov);
  const changed = Buffer.from(bytes);
  // MediaMTX writes no other user data; ffmpeg's is made to look like free space.
  const old = changed.indexOf('udta', moov, 'latin1');
  if (old !== -1 && old < end) changed.write('free', old, 'latin1');
  changed.writeUInt32BE(end - moov + udta.length, moov);
  return Buffer.concat([changed.subarray(0, end), udta, changed.subarray(end)]);
}

/** A fragmented MP4 as its initialisation segment and the fragments after it. */
export function splitFragments(bytes: Buffer): { init: Buffer; fragments: Buffer } {
  const first = boxAt(bytes, 'moof');
  return { init: bytes.subarray(0, first), fragments: bytes.subarray(first) };
}
