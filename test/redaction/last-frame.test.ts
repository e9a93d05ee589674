import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EncodedPacketSink, FilePathSource, Input, MP4 } from 'mediabunny';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { maskEveryone } from '../../src/domain/redaction-plan.js';
import { lastFrameDuration } from '../../src/redaction/last-frame.js';
import { defaultRedaction, redactFile, redactPart } from '../../src/redaction/redact.js';
import { bothBinaries, makeClip } from '../helpers/clips.js';

describe('the last frame is shown', () => {
  test.each([
    ['until the next one of the source', [0, 40, 80], 130, 50],
    ['as long as the one before it, where the source ends', [0, 40, 85], null, 45],
    ['1/25 s, where it is the only one', [7], null, 40],
    ['until the next one, where the copy has no other', [7], 507, 500],
    ['not until a recorder goes on', [0, 40, 80], 600_080, 1000],
    ['not as long as a pause before it', [0, 40, 600_040], null, 1000],
    ['not until a recorder goes on, of one frame either', [0], 600_000, 1000],
    ['as long as all of them, where that is longer than a second', [0, 5000, 10_000], null, 5000],
    ['until the next one, where all of them last longer than a second', [0, 5000, 10_000], 15_000, 5000],
  ] as const)('%s', (_how, times, next, expected) => {
    expect(lastFrameDuration(times, next, 1000)).toBe(expected);
  });
});

const place = mkdtempSync(join(tmpdir(), 'tredive-last-'));
const [source, single, output] = ['source.mp4', 'single.mp4', 'copy.mp4'].map((name) => join(place, name)) as [
  string,
  string,
  string,
];
const binaries = await bothBinaries();
const x264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p'];

beforeAll(async () => {
  await makeClip(source, 'testsrc2=s=160x120:r=10:d=3', ...x264);
  await makeClip(single, 'testsrc2=s=160x120:r=10:d=0.1', ...x264);
});
afterAll(() => {
  rmSync(place, { recursive: true, force: true });
});

/** As somebody else reads them: seconds of each picture, and of the whole. */
async function lengthsOf(path: string): Promise<{ pictures: number[]; wholeS: number }> {
  const input = new Input({ source: new FilePathSource(path), formats: [MP4] });
  const track = await input.getPrimaryVideoTrack();
  if (track === null) throw new Error('no video track');
  const pictures: number[] = [];
  for await (const packet of new EncodedPacketSink(track).packets()) pictures.push(packet.duration);
  const wholeS = await track.computeDuration();
  input.dispose();
  return { pictures, wholeS };
}

describe.each(binaries)('in a copy by ffmpeg %s', (_name, binary) => {
  beforeAll(() => {
    process.env['TREDIVE_FFMPEG'] = binary;
    return () => {
      delete process.env['TREDIVE_FFMPEG'];
    };
  });
  const job = { output, decisions: maskEveryone, settings: { ...defaultRedaction, workers: 1 } };
  const part = (fromS: number, endS: number) => ({
    startUs: 0,
    range: { startUs: fromS * 1e6, endUs: endS * 1e6 },
  });

  test('every frame of a whole file lasts as long as in it', async () => {
    await redactFile({ ...job, input: source });
    const { pictures, wholeS } = await lengthsOf(output);
    expect(pictures).toHaveLength(30);
    for (const seconds of pictures) expect(seconds).toBeCloseTo(0.1, 6);
    expect(wholeS).toBeCloseTo(3, 6);
  });

  test('so it is in a part, also in one of a single frame', async () => {
    await redactPart({ ...job, input: source }, part(1, 2));
    expect((await lengthsOf(output)).wholeS).toBeCloseTo(1, 6);
    await redactPart({ ...job, input: source }, part(1, 1.05));
    expect(await lengthsOf(output)).toEqual({
      pictures: [expect.closeTo(0.1, 6) as number],
      wholeS: expect.closeTo(0.1, 6) as number,
    });
  });

  test('and of a file of one frame', async () => {
    await redactFile({ ...job, input: single });
    expect(await lengthsOf(output)).toEqual({
      pictures: [expect.closeTo(0.04, 3) as number],
      wholeS: expect.closeTo(0.04, 3) as number,
    });
  });
});
