/** Small synthetic clips, made by a real ffmpeg. */
import { execFileSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { createRequire } from 'node:module';

const installer = createRequire(import.meta.url)('@ffmpeg-installer/ffmpeg') as { path: string };

/** The ffmpeg that comes with the dependencies: there on every machine. */
export function embeddedFfmpeg(): string {
  chmodSync(installer.path, 0o755);
  return installer.path;
}

export interface ClipOptions {
  readonly seconds?: number;
  readonly fps?: number;
  readonly size?: string;
  readonly audio?: boolean;
  /** More arguments before the output. */
  readonly args?: readonly string[];
}

/** H.264 in MP4 with a moving test picture. */
export function makeClip(
  path: string,
  { seconds = 2, fps = 10, size = '160x120', audio = false, args = [] }: ClipOptions = {},
): Promise<string> {
  const video = ['-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=${fps}:duration=${seconds}`];
  const sound = audio ? ['-f', 'lavfi', '-i', `sine=frequency=440:duration=${seconds}`, '-c:a', 'aac'] : [];
  execFileSync(embeddedFfmpeg(), [
    '-v',
    'error',
    '-nostdin',
    '-y',
    ...video,
    ...sound,
    '-c:v',
    'libx264',
    '-preset',
    'ultrafast',
    '-pix_fmt',
    'yuv420p',
    ...args,
    path,
  ]);
  return Promise.resolve(path);
}
