/** `tredive model` as a process, in a site. Runs the compiled program. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { makeClip } from '../helpers/clip.js';
import { drawnPerson, tinyYolox, yoloxManifest } from '../helpers/models.js';
import { tempFolder } from '../helpers/site.js';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

interface Site {
  readonly folder: string;
  /** Runs a command that must end with `code`; its JSON. */
  readonly run: (code: number, ...args: string[]) => Record<string, unknown>;
}

function makeSite(redaction = ''): Site {
  const folder = tempFolder();
  mkdirSync(join(folder, 'recordings'));
  const config = join(folder, 'gateway.yaml');
  writeFileSync(
    config,
    `site: { name: Test }\nroots: [{ id: nvr, path: ./recordings, layout: frigate }]\n${redaction}`,
  );
  return {
    folder,
    run(code, ...args) {
      const done = spawnSync(process.execPath, [main, ...args, '--config', config, '--json'], { encoding: 'utf8' });
      expect({ args, code: done.status, stderr: done.stderr }).toMatchObject({ code });
      return JSON.parse(done.stdout) as Record<string, unknown>;
    },
  };
}

const error = (code: string, message: RegExp): object => ({
  error: { code, message: expect.stringMatching(message) as string, remedy: expect.any(String) as string },
});

describe('tredive model', () => {
  // A dozen starts of the program.
  it('adds a model with its manifest beside it, which then redacts; and goes back to the built-in one', async () => {
    const { folder, run } = makeSite();
    const file = join(folder, 'tiny.onnx');
    const car = { cx: 12, cy: 30, w: 16, h: 10, classIndex: 2, objectness: 0.8 };
    writeFileSync(file, tinyYolox({ boxes: [drawnPerson, car] }));
    writeFileSync(join(folder, 'tiny.json'), JSON.stringify(yoloxManifest));
    expect(run(0, 'model', 'list')).toMatchObject({ models: [{ name: 'centernet', inUse: true }] });
    expect(run(0, 'model', 'add', file)).toMatchObject({ name: 'tiny-yolox', inUse: true, drawn: 9 });
    expect(run(0, 'model', 'list')).toMatchObject({
      models: [
        { name: 'centernet', inUse: false },
        { name: 'tiny-yolox', decoder: 'yolox', inUse: true },
      ],
    });
    const doctor = run(0, 'doctor')['checks'] as { name: string; detail: string }[];
    expect(doctor.find(({ name }) => name === 'detector in use')?.detail).toMatch(/^tiny-yolox, SHA-256/);

    const input = await makeClip(join(folder, 'in.mp4'), { seconds: 1, size: '320x240' });
    const report = join(folder, 'report.json');
    const redact = (name: string, ...more: string[]): Record<string, unknown> =>
      run(0, 'redact', input, join(folder, name), '--report', report, ...more);
    expect(redact('a.mp4')).toMatchObject({ detector: 'tiny-yolox', frames: 10 });
    const { detector, tracks } = JSON.parse(readFileSync(report, 'utf8')) as {
      detector: object;
      tracks: { kind: string; boxes: { box: { x: number; y: number; w: number; h: number } }[] }[];
    };
    // The drawn clip moves all over, which this model explains nothing of.
    const people = tracks.filter(({ kind }) => kind !== 'motion');
    expect(people).toHaveLength(1);
    expect(detector).toMatchObject({ name: 'tiny-yolox', width: 64, height: 48 });
    // Five times as large as what the model saw, wider by the padding: the person at (37, 21.5) covers 160..210 x 57..157.
    const box = people[0]?.boxes[0]?.box ?? { x: 999, y: 999, w: 0, h: 0 };
    expect(box.x).toBeLessThanOrEqual(160);
    expect(box.y).toBeLessThanOrEqual(58);
    expect(box.x + box.w).toBeGreaterThanOrEqual(210);
    expect(box.y + box.h).toBeGreaterThanOrEqual(157);
    expect(box.w * box.h).toBeLessThan(4 * 50 * 100);

    redact('b.mp4', '--vehicles');
    const both = JSON.parse(readFileSync(report, 'utf8')) as { tracks: { kind: string }[] };
    const kinds = both.tracks.map(({ kind }) => kind).filter((kind) => kind !== 'motion');
    expect(kinds.sort()).toEqual(['person', 'vehicle']);

    expect(run(0, 'model', 'use', 'centernet')).toMatchObject({ name: 'centernet', inUse: true });
    expect(redact('c.mp4')).toMatchObject({ detector: 'centernet' });
    expect(run(1, 'model', 'use', 'unheard-of')).toMatchObject(error('not-found', /no model "unheard-of"/));
    expect(run(0, 'audit', 'verify')).toMatchObject({ ok: true });
    expect(run(0, 'check')).toMatchObject({ ok: true });
  }, 240_000);

  it('takes what a manifest says as options too', () => {
    const { folder, run } = makeSite();
    const file = join(folder, 'tiny.onnx');
    writeFileSync(file, tinyYolox());
    const classes = join(folder, 'classes.txt');
    writeFileSync(classes, 'person\ncat\ncar\n');
    expect(run(2, 'model', 'add', file)).toMatchObject(error('usage', /Nothing says how/));
    const add = ['model', 'add', file, '--decoder', 'yolox'];
    expect(run(2, ...add)).toMatchObject(error('input-invalid', /yolox with 80 classes gives \[1, \?, 85\]/));
    expect(run(2, ...add, '--classes', join(folder, 'none.txt'))).toMatchObject(error('usage', /cannot be read/));
    expect(run(2, ...add, '--size', 'large')).toMatchObject(error('usage', /no size/));
    expect(existsSync(join(folder, 'data/models'))).toBe(false);
    expect(run(0, ...add, '--classes', classes, '--name', 'by-hand')).toMatchObject({ name: 'by-hand', inUse: true });
    const manifest = JSON.parse(readFileSync(join(folder, 'data/models/by-hand/manifest.json'), 'utf8')) as object;
    expect(manifest).toMatchObject({ input: { name: 'images', channels: 'bgr', size: { width: 64, height: 64 } } });
  });

  it('refuses with the reason, and what was in use stays so', () => {
    const { folder, run } = makeSite();
    const file = join(folder, 'dead.onnx');
    writeFileSync(file, tinyYolox({ boxes: [] }));
    writeFileSync(join(folder, 'dead.json'), JSON.stringify({ ...yoloxManifest, name: 'dead' }));
    expect(run(2, 'model', 'add', file)).toMatchObject(error('input-invalid', /none of 9 drawn people/));
    expect(existsSync(join(folder, 'data/models'))).toBe(false);
    expect(run(0, 'model', 'list')).toMatchObject({ models: [{ name: 'centernet', inUse: true }] });
    expect(run(0, 'model', 'add', file, '--without-figures')).toMatchObject({ inUse: true, seen: 0 });
  });

  it('says so where the configuration names the model itself', () => {
    const { folder, run } = makeSite('redaction: { detector: centernet }\n');
    writeFileSync(join(folder, 'tiny.onnx'), tinyYolox());
    expect(run(1, 'model', 'add', join(folder, 'tiny.onnx'))).toMatchObject(error('conflict', /redaction\.detector/));
    expect(run(1, 'model', 'use', 'centernet')).toMatchObject(error('conflict', /redaction\.detector/));
    expect(run(0, 'model', 'list')).toMatchObject({ detector: 'centernet' });
  });
});
