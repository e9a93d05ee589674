import { createHash } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ALL_FORMATS, EncodedPacketSink, FilePathSource, Input } from 'mediabunny';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { placeNames } from '../../samples/places.js';
import { drawScene, encodeScene } from '../../samples/scene.js';

const small = { width: 384, height: 216, fps: 2 } as const;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tredive-scene-'));
});
afterAll(() => rm(folder, { recursive: true }));

function picture(options: Parameters<typeof drawScene>[0]): string {
  const hash = createHash('sha256');
  for (const { rgb, figures } of drawScene(options)) hash.update(rgb).update(JSON.stringify(figures));
  return hash.digest('hex');
}

describe.each(placeNames)('%s', (place) => {
  it('shows figures, and says where they are', () => {
    const frames = [...drawScene({ place, ...small })].map(({ figures }) => figures);
    expect(frames).toHaveLength(40);
    const seen = frames.flat();
    expect(new Set(seen.map(({ figure }) => figure)).size).toBeGreaterThanOrEqual(4);
    for (const { body, head, visible } of seen) {
      for (const box of head === undefined ? [body] : [body, head]) {
        expect(Math.min(box.x, box.y)).toBeGreaterThanOrEqual(0);
        expect(box.w * box.h).toBeGreaterThan(0);
        expect(box.x + box.w).toBeLessThanOrEqual(small.width);
        expect(box.y + box.h).toBeLessThanOrEqual(small.height);
      }
      expect(visible).toBeGreaterThanOrEqual(0);
      expect(visible).toBeLessThanOrEqual(1);
    }
    // At half the usual size: in a full-size clip they are 80 to 220 pixels tall.
    const whole = seen.filter(({ visible }) => visible === 1);
    for (const { body } of whole) {
      expect(body.h).toBeGreaterThan(38);
      expect(body.h).toBeLessThan(115);
    }
    expect(whole.length).toBeGreaterThan(20);
  });

  it('puts the head at the top of the body of whoever is seen whole', () => {
    for (const { figures } of drawScene({ place, ...small, fps: 1 })) {
      for (const { body, head, visible } of figures) {
        if (visible < 1 || head === undefined) continue;
        expect(head.y - body.y).toBeLessThan(0.1 * body.h);
        expect(head.h).toBeLessThan(0.25 * body.h);
      }
    }
  });
});

describe('a scene', () => {
  it('is the same for the same seed, and another for another seed or place', () => {
    const options = { place: 'yard', ...small, seconds: 2, seed: 3 } as const;
    const first = picture(options);
    expect(picture(options)).toBe(first);
    expect(picture({ ...options, seed: 4 })).not.toBe(first);
    expect(picture({ ...options, place: 'parking' })).not.toBe(first);
  });

  it('differs where a figure is, and only little elsewhere', () => {
    const scene = drawScene({ place: 'lobby', ...small, seconds: 7, fps: 1 });
    const frames = [...scene].map(({ figures }) => figures);
    const moved = frames.map((figures) => figures.find(({ figure }) => figure === 1)?.body.x);
    expect(new Set(moved.filter((x) => x !== undefined)).size).toBeGreaterThan(3);
    const standing = frames.map((figures) => figures.find(({ figure }) => figure === 4)?.body.x ?? -1);
    expect(Math.max(...standing) - Math.min(...standing)).toBeLessThan(15);
  });

  it('walks on where it left off after 20 s, so that clips follow one another', () => {
    const frames = [...drawScene({ place: 'parking', ...small, fps: 1, seconds: 23 })].map(({ figures }) => figures);
    expect(frames[21]).toEqual(frames[1]);
    expect(frames[22]).toEqual(frames[2]);
    expect(frames[2]).not.toEqual(frames[1]);
  });
});

describe('an encoded scene', () => {
  it.each([
    { name: 'plain with sound', audio: true, fragmented: false },
    { name: 'in fragments', audio: false, fragmented: true },
  ])('$name has every frame, at its time', async ({ audio, fragmented }) => {
    const file = join(folder, `${String(audio)}.mp4`);
    const truth = await encodeScene(file, { place: 'yard', ...small, fps: 5, seconds: 4, audio, fragmented });
    expect(truth).toMatchObject({ place: 'yard', width: 384, height: 216, fps: 5 });
    expect(truth.frames).toHaveLength(20);
    expect((await stat(file)).size).toBeGreaterThan(5_000);

    using input = new Input({ formats: ALL_FORMATS, source: new FilePathSource(file) });
    const video = await input.getPrimaryVideoTrack();
    if (video === null) throw new Error('no picture in the clip');
    expect([await video.getCodec(), await video.getDisplayWidth(), await video.getDisplayHeight()]).toEqual([
      'avc',
      384,
      216,
    ]);
    expect(await (await input.getPrimaryAudioTrack())?.getCodec()).toBe(audio ? 'aac' : undefined);
    const times: number[] = [];
    for await (const packet of new EncodedPacketSink(video).packets()) times.push(packet.timestamp);
    expect(times.sort((a, b) => a - b).map((time) => Math.round(time * 5))).toEqual([...Array(20).keys()]);
  });

  it('says why when ffmpeg cannot write it', async () => {
    const nowhere = join(folder, 'no such folder', 'clip.mp4');
    await expect(encodeScene(nowhere, { place: 'lobby', ...small, seconds: 1 })).rejects.toThrow(/No such file/);
  });
});
