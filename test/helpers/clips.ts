/** Synthetic clips made by ffmpeg itself, and what is in a file according to others than the code under test. */
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { EncodedPacketSink, FilePathSource, Input, MATROSKA, MP4, MPEG_TS } from 'mediabunny';
import { findFfmpeg, startDecoder } from '../../src/platform/ffmpeg.js';
import { openFrameLine, type FrameHeader } from '../../src/platform/native.js';

const run = promisify(execFile);

/** The embedded build of 2018, and the one the product would choose by itself (often a newer one of the system). */
export async function bothBinaries(): Promise<[string, string][]> {
  const embedded = (createRequire(import.meta.url)('@ffmpeg-installer/ffmpeg') as { path: string }).path;
  const chosen = await findFfmpeg();
  return chosen.path === embedded
    ? [['embedded', embedded]]
    : [
        ['embedded', embedded],
        [chosen.version, chosen.path],
      ];
}

/** `ffmpeg <args>` with the embedded build, which has every encoder a test needs. */
export async function ffmpeg(...args: string[]): Promise<void> {
  const { path } = createRequire(import.meta.url)('@ffmpeg-installer/ffmpeg') as { path: string };
  await run(path, ['-v', 'error', '-nostdin', '-y', ...args], { maxBuffer: 1 << 26 });
}

export async function makeClip(path: string, source: string, ...args: string[]): Promise<string> {
  await ffmpeg('-f', 'lavfi', '-i', source, ...args, path);
  return path;
}

/** Frames and times as the analysis would see them, with the size of the upright picture. */
export interface Seen extends FrameHeader {
  readonly pts: readonly number[];
}

export async function look(path: string): Promise<Seen> {
  const decoder = await startDecoder({ input: path, niceness: 0 });
  const line = openFrameLine({ readFd: decoder.readFd, timesFd: decoder.timesFd, style: 'solid' });
  try {
    const pts: number[] = [];
    for (let frame = await line.next(); frame !== null; frame = await line.next()) pts.push(frame.pts);
    const header = await line.header();
    await decoder.done;
    return { ...header, pts };
  } finally {
    line.close();
  }
}

/** Presentation times in seconds of all packets of the video track, sorted, as mediabunny reads them. */
export async function packetTimes(path: string): Promise<number[]> {
  const input = new Input({ source: new FilePathSource(path), formats: [MP4, MATROSKA, MPEG_TS] });
  const track = await input.getPrimaryVideoTrack();
  if (track === null) throw new Error('no video track');
  const times: number[] = [];
  for await (const packet of new EncodedPacketSink(track).packets()) times.push(packet.timestamp);
  input.dispose();
  return times.sort((a, b) => a - b);
}

/** Luma planes of all frames, decoded by a plain ffmpeg. */
export async function lumaFrames(path: string, width: number, height: number): Promise<Buffer[]> {
  const { path: binary } = await findFfmpeg();
  const { stdout } = await run(
    binary,
    [
      '-v',
      'error',
      '-i',
      path,
      '-vsync',
      '0',
      '-pix_fmt',
      'gray',
      '-vf',
      'extractplanes=y',
      '-f',
      'rawvideo',
      'pipe:1',
    ],
    { encoding: 'buffer', maxBuffer: 1 << 30 },
  );
  const size = width * height;
  return Array.from({ length: stdout.length / size }, (_unused, i) => stdout.subarray(i * size, (i + 1) * size));
}
