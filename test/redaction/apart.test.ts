/** The thread that makes copies: the same as without it, also when something fails. Runs what is compiled. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { maskEveryone } from '../../src/domain/redaction-plan.js';
import { GatewayError } from '../../src/errors.js';
import * as apart from '../../src/redaction/apart.js';
import { analyseFile, defaultRedaction, redactFile, type RedactFile } from '../../src/redaction/redact.js';
import { encodeScene } from '../../samples/scene.js';

const place = mkdtempSync(join(tmpdir(), 'tredive-apart-'));
const out = join(place, 'out');
const at = (name: string): string => join(place, name);
const job = (output: string, more: Partial<RedactFile> = {}): RedactFile => ({
  ...{ input: at('yard.mp4'), output, decisions: maskEveryone, settings: defaultRedaction },
  ...more,
});

beforeAll(async () => {
  await encodeScene(at('yard.mp4'), { place: 'yard', seconds: 6, seed: 3 });
});
afterAll(() => {
  rmSync(place, { recursive: true });
});

test('a copy is the same byte by byte as without the thread, and so is what is told of it', async () => {
  const steps: number[] = [];
  const onProgress = ({ framesDone }: { framesDone: number }): void => {
    steps.push(framesDone);
  };
  const label = { timeZone: 'Europe/Copenhagen', case: '5100-1', startUs: 1_790_000_000_000_000 };
  const there = await apart.redactFile(job(at('there.mp4'), { run: { onProgress }, label }));
  const here = await redactFile(job(at('here.mp4'), { label }));
  expect(readFileSync(at('there.mp4')).equals(readFileSync(at('here.mp4')))).toBe(true);
  expect({ ...there, seconds: 0 }).toEqual({ ...here, seconds: 0 });
  expect(there.analysis.tracks.length).toBeGreaterThan(0);
  expect(steps.length).toBeGreaterThan(0);
  expect(steps).toEqual([...steps].sort((a, b) => a - b));
  const analysis = await analyseFile(at('yard.mp4'), defaultRedaction, { exact: true });
  const { decisions, settings } = job('');
  const render = { input: at('yard.mp4'), output: at('again.mp4'), analysis, decisions, settings, label };
  expect(await apart.renderCopy(render)).toMatchObject({ frames: here.frames });
  expect(readFileSync(at('again.mp4')).equals(readFileSync(at('here.mp4')))).toBe(true);
});

test('of a part without a frame there is no copy', async () => {
  const part = { startUs: 0, range: { startUs: 60_000_000, endUs: 61_000_000 } };
  expect(await apart.redactPart(job(at('none.mp4')), part)).toBeNull();
  expect(readdirSync(place)).not.toContain('none.mp4');
});

test('a stop reaches it: interrupted, and nothing is left', async () => {
  const stop = new AbortController();
  const run = {
    signal: stop.signal,
    onProgress: () => {
      stop.abort();
    },
  };
  await expect(apart.redactFile(job(at('stopped.mp4'), { run }))).rejects.toMatchObject({ code: 'interrupted' });
  const before = { signal: AbortSignal.abort() };
  await expect(apart.redactFile(job(at('stopped.mp4'), { run: before }))).rejects.toMatchObject({
    code: 'interrupted',
  });
  expect(readdirSync(place).filter((name) => name.startsWith('stopped'))).toEqual([]);
});

test('what fails is told with its code, its message and what to do', async () => {
  writeFileSync(at('letter.mp4'), 'not a video');
  const settings = { ...defaultRedaction, detector: at('no-model.json') };
  for (const wrong of [{ input: at('letter.mp4') }, { settings }, { output: join(out, 'x.mp4') }]) {
    const [there, here] = await Promise.all(
      [apart.redactFile, redactFile].map((make, i) =>
        make(job(at(`wrong${i}.mp4`), wrong)).catch((error: unknown) => error),
      ),
    );
    if (!(there instanceof GatewayError) || !(here instanceof GatewayError)) throw new Error('it did not fail');
    const name = (text: string): string => text.replaceAll(/wrong\d/g, 'wrong');
    expect([there.code, name(there.message), there.remedy]).toEqual([here.code, name(here.message), here.remedy]);
    expect(there.remedy).toBeDefined();
  }
  expect(readdirSync(place).filter((name) => name.startsWith('wrong'))).toEqual([]);
});
