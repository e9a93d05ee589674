/** A copy made in one pass over the file, against one made in two: nobody may tell them apart. */
import {
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
  closeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, afterAll, beforeAll, expect, test } from 'vitest';
import { drawScene } from '../../samples/scene.js';
import { sharedArea } from '../../src/domain/mask-rects.js';
import { maskEveryone, pointsOf, type Box, type MaskDecisions, type Zone } from '../../src/domain/redaction-plan.js';
import { renderPlan } from '../../src/redaction/conveyor.js';
import { withOutput } from '../../src/redaction/output-claim.js';
import { analysisOf } from '../../src/redaction/range.js';
import {
  analyseFile,
  defaultRedaction,
  redactFile,
  redactPart,
  renderCopy,
  type Analysis,
  type RedactedFile,
} from '../../src/redaction/redact.js';
import { ffmpeg, look, makeClip, packetTimes } from '../helpers/clips.js';

const place = mkdtempSync(join(tmpdir(), 'tredive-pass-'));
const [input, output] = [join(place, 'scene.mp4'), join(place, 'masked.mp4')];
const settings = { ...defaultRedaction, workers: 1 };
const zones: Zone[] = [{ name: 'window', kind: 'always-mask', x: 0.8, y: 0, w: 0.2, h: 0.3 }];
const label = { case: 'J-7', camera: 'lobby', timeZone: 'Europe/Copenhagen', startUs: 1_780_000_000_000_000 };
const startUs = 1_000_000_000;
let whole: RedactedFile;
let wholeBytes: Buffer;

beforeAll(async () => {
  const [width, height] = [480, 270];
  const pictures = [...drawScene({ place: 'lobby', width, height, fps: 10, seconds: 5 })].map(({ rgb }) =>
    Buffer.from(rgb),
  );
  writeFileSync(join(place, 'scene.rgb'), Buffer.concat(pictures));
  const raw = ['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', `${width}x${height}`, '-r', '10'];
  await ffmpeg(...raw, '-i', join(place, 'scene.rgb'), '-c:v', 'libx264', '-pix_fmt', 'yuv420p', input);
  rmSync(join(place, 'scene.rgb'));
  whole = await redactFile({ input, output, decisions: maskEveryone, settings, zones, label });
  wholeBytes = readFileSync(output);
});
afterEach(() => {
  rmSync(output, { force: true });
});
afterAll(() => {
  rmSync(place, { recursive: true, force: true });
});

const expectNoCopy = (): void => {
  expect(readdirSync(place).sort()).toEqual(['scene.mp4']);
};
const framesAt = (fromFrame: number, endFrame: number) => ({
  startUs,
  range: { startUs: startUs + fromFrame * 100_000, endUs: startUs + endFrame * 100_000 },
});

test('people are found in it, so that there is something to compare', () => {
  expect(whole).toMatchObject({ frames: 50, range: { firstFrame: 0, endFrame: 50 } });
  expect(whole.analysis.tracks.filter(({ kind }) => kind === 'person').length).toBeGreaterThan(0);
});

/**
 * A file that is only looked at is decoded in another way (fewer pictures, smaller), so boxes differ by parts of pixels, and
 * may begin and end a look earlier or later.
 */
function expectSamePeople(found: Analysis, expected: Analysis, { firstFrame, endFrame } = whole.range): void {
  const rest = (analysis: Analysis): object => ({ ...analysis, tracks: null, detector: null });
  expect(rest(found)).toEqual(rest(expected));
  const boxesIn = ({ tracks }: Analysis, frame: number): Box[] =>
    tracks
      .filter(({ kind }) => kind === 'person')
      .flatMap((track) => [...pointsOf(track, frame, frame + 1)].map(({ box }) => box));
  const shares: number[] = [];
  for (let frame = firstFrame; frame < endFrame; frame += 1) {
    const there = boxesIn(found, frame);
    for (const box of boxesIn(expected, frame)) {
      shares.push(Math.max(0, ...there.map((other) => sharedArea(box, other) / (box.w * box.h))));
    }
  }
  expect(shares.length).toBeGreaterThan(15);
  expect(shares.filter((share) => share > 0.9).length).toBeGreaterThan(0.95 * shares.length);
}

test('looking first, exactly, gives the same analysis', async () => {
  expect(await analyseFile(input, settings, { zones, exact: true })).toEqual(whole.analysis);
});

test('rendering by the finished analysis gives the same file, byte by byte', async () => {
  await renderCopy({ input, output, analysis: whole.analysis, decisions: maskEveryone, settings, label });
  expect(readFileSync(output).equals(wholeBytes)).toBe(true);
});

test('looking alone finds the same people', async () => {
  expectSamePeople(await analyseFile(input, settings, { zones }), whole.analysis);
});

test('so it is with decisions: someone kept visible, something drawn, another mode', async () => {
  const [track] = whole.analysis.tracks.filter(({ kind }) => kind === 'person');
  const kept: MaskDecisions = {
    mode: 'people',
    keepVisible: [{ trackId: track?.id ?? -1, fromFrame: 10 }],
    drawn: [{ fromFrame: 5, toFrame: 30, box: { x: 10, y: 10, w: 40, h: 40 }, toBox: { x: 200, y: 90, w: 60, h: 40 } }],
  };
  const one = await redactFile({ input, output, decisions: kept, settings, zones, label });
  const bytes = readFileSync(output);
  expect(bytes.equals(wholeBytes)).toBe(false);
  await renderCopy({ input, output, analysis: one.analysis, decisions: kept, settings, label });
  expect(readFileSync(output).equals(bytes)).toBe(true);
});

test('where frames cannot wait so long in memory the file is read twice, with the same people', async () => {
  const totals = new Set<number | null>();
  const run = {
    mostDelayBytes: 480 * 270 * 1.5 * 4,
    onProgress: ({ framesTotal }: { framesTotal: number | null }) => totals.add(framesTotal),
  };
  const twice = await redactFile({ input, output, decisions: maskEveryone, settings, zones, label, run });
  expectSamePeople(twice.analysis, whole.analysis);
  const bytes = readFileSync(output);
  // Only rendering by a finished plan knows how much there is to do.
  expect([...totals]).toEqual([null, 50]);
  expect(readdirSync(place).sort()).toEqual(['masked.mp4', 'scene.mp4']);
  await renderCopy({ input, output, analysis: twice.analysis, decisions: maskEveryone, settings, label });
  expect(readFileSync(output).equals(bytes)).toBe(true);
});

test('a part has exactly the frames of its range, covered as in the whole', async () => {
  const range = { firstFrame: 15, endFrame: 35 };
  const job = { input, output, decisions: maskEveryone, settings, zones, label };
  const part = await redactPart(job, framesAt(15, 35));
  expect(part).toMatchObject({ frames: 20, range });
  // Around it there is time enough to have seen everybody come.
  expect(part?.analysis).toEqual({ ...analysisOf(whole.analysis, range), detector: part?.analysis.detector });
  const bytes = readFileSync(output);
  const times = await packetTimes(output);
  expect(times).toHaveLength(20);
  times.forEach((time, i) => {
    expect(time).toBeCloseTo(i / 10, 4);
  });
  await renderCopy({ ...job, analysis: whole.analysis, range });
  expect(readFileSync(output).equals(bytes)).toBe(true);
  const twice = await redactPart({ ...job, run: { mostDelayBytes: 1 } }, framesAt(15, 35));
  expect(twice).toMatchObject({ frames: 20, range });
  expectSamePeople(twice?.analysis ?? whole.analysis, part?.analysis ?? whole.analysis, range);
  expect(await packetTimes(output)).toEqual(times);
});

test.each([
  ['begins before the recording', -20, 8, { firstFrame: 0, endFrame: 8 }],
  ['goes on after it', 44, 90, { firstFrame: 44, endFrame: 50 }],
  ['begins and ends between frames', 9.5, 11.5, { firstFrame: 10, endFrame: 12 }],
  ['is one frame', 20, 20.1, { firstFrame: 20, endFrame: 21 }],
])('a part that %s', async (_what, from, end, range) => {
  const job = { input, output, decisions: maskEveryone, settings, zones, label };
  const part = await redactPart(job, framesAt(from, end));
  expect(part).toMatchObject({ range, frames: range.endFrame - range.firstFrame });
  expect(await packetTimes(output)).toHaveLength(range.endFrame - range.firstFrame);
});

test.each([
  ['before the recording', -90, -60],
  ['after it', 60, 90],
  ['far after it', 6000, 9000],
  ['between two frames', 20.2, 20.8],
])('of a part %s there is no copy, and no file is left', async (_what, from, end) => {
  const job = { input, output, decisions: maskEveryone, settings };
  expect(await redactPart(job, framesAt(from, end))).toBeNull();
  expectNoCopy();
  expect(await redactPart({ ...job, run: { mostDelayBytes: 1 } }, framesAt(from, end))).toBeNull();
  expectNoCopy();
});

test('decisions about what is not in the recording are refused in the end, and no file is left', async () => {
  const wrong = { keepVisible: [{ trackId: 4711 }], drawn: [] };
  await expect(redactFile({ input, output, decisions: wrong, settings })).rejects.toMatchObject({
    code: 'input-invalid',
  });
  expectNoCopy();
});

test('an abort while people are looked for leaves no file', async () => {
  const stop = new AbortController();
  const onProgress = ({ framesDone }: { framesDone: number }): void => {
    if (framesDone === 30) stop.abort();
  };
  const run = { signal: stop.signal, onProgress };
  await expect(redactFile({ input, output, decisions: maskEveryone, settings, run })).rejects.toMatchObject({
    code: 'interrupted',
  });
  expectNoCopy();
});

test('a byte that changes after it was proved is found out', async () => {
  const busy = join(place, 'busy.mkv');
  const noisy = 'testsrc2=s=640x360:r=25:d=10,noise=alls=25:allf=t';
  await makeClip(busy, noisy, '-c:v', 'mjpeg', '-pix_fmt', 'yuvj420p');
  const source = await look(busy);
  const growing = `${output}.growing.partial`;
  let [seenAt, isChanged] = [0, false];
  const frameCount = source.pts.length;
  const decisions = {
    ...maskEveryone,
    drawn: [{ fromFrame: 0, toFrame: frameCount, box: { x: 9, y: 9, w: 90, h: 90 } }],
  };
  const plan = { version: 2 as const, width: 640, height: 360, frameCount, tracks: [], zones: [], decisions };
  const onProgress = (): void => {
    const size = statSync(growing, { throwIfNoEntry: false })?.size ?? 0;
    if (size > 200_000 && seenAt === 0) seenAt = performance.now();
    // By now it was read many times over.
    if (isChanged || seenAt === 0 || performance.now() < seenAt + 500) return;
    const fd = openSync(growing, 'r+');
    writeSync(fd, Buffer.from([0x5a]), 0, 1, 40_000);
    closeSync(fd);
    isChanged = true;
  };
  const range = { firstFrame: 0, endFrame: frameCount };
  const rendering = withOutput(output, (claim) =>
    renderPlan(busy, { plan, ...source }, range, { claim, style: 'solid' }, { onProgress }),
  );
  await expect(rendering).rejects.toMatchObject({ code: 'verification-failed' });
  await expect(rendering).rejects.toThrow(/not the ones that were proved/);
  expect(isChanged).toBe(true);
  rmSync(busy);
  expectNoCopy();
});
