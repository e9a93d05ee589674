import { pointsOf } from '../../src/domain/redaction-plan.js';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { analyseFile, defaultRedaction, type Analysis } from '../../src/redaction/redact.js';
import { ffmpeg, look, makeClip } from '../helpers/clips.js';
import { footagePath, withoutFootage } from '../helpers/footage.js';

const settings = { ...defaultRedaction, padding: 0.06 };
const analyse = (input: string, run: Parameters<typeof analyseFile>[2] = {}): Promise<Analysis> =>
  analyseFile(input, settings, run);
let dir: string;
beforeAll(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'tredive-analyse-'));
});
afterAll(() => {
  rmSync(dir, { recursive: true });
});

describe('an analysis', () => {
  it('has every frame with its time, upright, and the detector looks throughout', async () => {
    const clip = await makeClip(
      path.join(dir, 'plain.mp4'),
      'testsrc2=size=322x242:rate=25:duration=2',
      ...['-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-preset', 'ultrafast'],
    );
    const [found, expected] = [await analyse(clip), await look(clip)];
    expect([found.width, found.height]).toEqual([322, 242]);
    expect(found.pts).toEqual(expected.pts);
    expect(found.timeBase).toEqual(expected.timeBase);
    expect(found.detector).toMatchObject({ name: 'centernet', width: 512, height: 384 });
    // At first every second look is the detector's, whatever moves.
    expect(found.detector.framesLookedAt).toBeGreaterThanOrEqual(6);
    expect(found.detector.framesLookedAt).toBeLessThanOrEqual(14);
    expect(found.damaged).toBe(false);
  });

  it('follows the rotation flag and a variable frame rate', async () => {
    const flat = await makeClip(
      path.join(dir, 'flat.mp4'),
      'testsrc2=size=320x192:rate=25:duration=3',
      ...['-vf', "select='lt(n,10)+not(mod(n,7))'", '-vsync', '0', '-c:v', 'libx264', '-preset', 'ultrafast'],
      ...['-pix_fmt', 'yuv420p'],
    );
    const turned = path.join(dir, 'turned.mp4');
    await ffmpeg('-i', flat, '-c', 'copy', '-metadata:s:v', 'rotate=90', turned);
    const [found, expected] = [await analyse(turned), await look(turned)];
    expect([found.width, found.height]).toEqual([192, 320]);
    expect(found.pts).toEqual(expected.pts);
    expect(found.pts.length).toBeLessThan(25);
  });

  it('of a window looks only there, and has the time of every frame up to its end', async () => {
    const clip = await makeClip(
      path.join(dir, 'window.mp4'),
      'testsrc2=size=320x192:rate=10:duration=10',
      ...['-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-preset', 'ultrafast'],
    );
    const found = await analyse(clip, { window: { fromS: 4, toS: 6 } });
    // What comes after the window is not even decoded.
    expect(found.pts).toEqual((await look(clip)).pts.slice(0, 61));
    expect(found.searched).toEqual({ firstFrame: 40, endFrame: 61 });
    expect(found.detector.framesLookedAt).toBeGreaterThanOrEqual(6);
    expect(found.detector.framesLookedAt).toBeLessThanOrEqual(15);
    const toEnd = await analyse(clip, { window: { fromS: 9, toS: 99 } });
    expect(toEnd.searched).toEqual({ firstFrame: 90, endFrame: 100 });
    expect(toEnd.pts).toHaveLength(100);
    const none = await analyse(clip, { window: { fromS: 20, toS: 30 } });
    expect(none).toMatchObject({ searched: { firstFrame: 0, endFrame: 0 }, tracks: [] });
  }, 60_000);

  it('of something that is no video ends in a clear error, not in an empty analysis', async () => {
    const garbage = path.join(dir, 'garbage.mp4');
    writeFileSync(garbage, Buffer.alloc(50_000, 7));
    await expect(analyse(garbage)).rejects.toMatchObject({ code: 'media-unreadable' });
    const cut = await makeClip(
      path.join(dir, 'cut.mp4'),
      'testsrc2=size=320x240:rate=10:duration=2',
      ...['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p'],
    );
    truncateSync(cut, Math.floor(statSync(cut).size / 2));
    await expect(analyse(cut)).rejects.toMatchObject({ code: 'media-unreadable' });
  });

  it('of what is no file, or has no video in it, says so', async () => {
    const pipe = path.join(dir, 'pipe.mp4');
    execFileSync('mkfifo', [pipe]);
    for (const notAFile of [pipe, dir]) {
      await expect(analyse(notAFile)).rejects.toMatchObject({
        code: 'media-unreadable',
        message: expect.stringContaining('not a file') as string,
      });
    }
    const sound = path.join(dir, 'sound.m4a');
    await ffmpeg('-f', 'lavfi', '-i', 'sine=d=1', '-c:a', 'aac', sound);
    await expect(analyse(sound)).rejects.toMatchObject({
      code: 'media-unreadable',
      message: expect.stringContaining('no video track') as string,
    });
  });

  it('does not take a subtitle track for damage', async () => {
    const clip = await makeClip(
      path.join(dir, 'bare.mp4'),
      'testsrc2=size=320x240:rate=10:duration=1',
      ...['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p'],
    );
    const [words, subtitled] = [path.join(dir, 'words.srt'), path.join(dir, 'subtitled.mp4')];
    writeFileSync(words, '1\n00:00:00,000 --> 00:00:01,000\nhello\n');
    await ffmpeg(
      ...['-i', clip, '-i', words, '-map', '0:v', '-map', '1', '-c:v', 'copy'],
      '-c:s',
      'mov_text',
      subtitled,
    );
    expect(await analyse(subtitled)).toMatchObject({ damaged: false, notes: [] });
  });

  it('stops when it is told to', async () => {
    const clip = await makeClip(
      path.join(dir, 'long.mp4'),
      'testsrc2=size=640x480:rate=25:duration=20',
      ...['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p'],
    );
    const stop = new AbortController();
    const running = analyse(clip, {
      signal: stop.signal,
      onProgress: ({ framesDone }) => {
        if (framesDone === 20) stop.abort();
      },
    });
    await expect(running).rejects.toMatchObject({ code: 'interrupted' });
  });

  it('ends in detector-failed where the model is missing', async () => {
    const clip = await makeClip(
      path.join(dir, 'short.avi'),
      'testsrc2=size=320x240:rate=10:duration=1',
      '-c:v',
      'mjpeg',
    );
    const manifestPath = path.join(dir, 'no-model.json');
    const broken = { ...settings, detector: manifestPath };
    await expect(analyseFile(clip, broken)).rejects.toMatchObject({ code: 'detector-failed' });
  });
});

describe.skipIf(withoutFootage('people in real footage', 'footage'))('people in real footage', () => {
  it('are found from entering to leaving, one after the other', async () => {
    const found = await analyse(footagePath('footage/one-by-one-person-detection.mp4'));
    // Somebody is in the picture at these times, nobody at those; seen by eye. Who leaves is covered a few frames longer.
    const covered = (frame: number): number => {
      const boxes = found.tracks.flatMap((track) => [...pointsOf(track, frame, frame + 1)]);
      return boxes.length;
    };
    for (const frame of [60, 100, 180, 240, 350, 440, 510, 600, 690, 760, 860, 930, 1100, 1195, 1240, 1350]) {
      expect(covered(frame)).toBeGreaterThan(0);
    }
    for (const frame of [10, 214, 475, 720, 890, 1219, 1390]) expect(covered(frame)).toBe(0);
  }, 300_000);
});
