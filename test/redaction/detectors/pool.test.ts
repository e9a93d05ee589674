import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { builtInManifest } from '../../../src/redaction/detectors/manifest.js';
import { openDetectorPool, type DetectorPool } from '../../../src/redaction/detectors/pool.js';

const settings = { minScore: 0.2, vehicles: false };
const frame = (): Float32Array<ArrayBuffer> => new Float32Array(3 * 64 * 64);
const cleanUp: (() => Promise<void> | void)[] = [];
const open = (manifestPath?: string): DetectorPool => {
  const pool = openDetectorPool({ ...settings, manifestPath });
  cleanUp.push(() => pool.close());
  return pool;
};
/** A copy of the model in a directory of its own, to damage. */
const copy = (): { dir: string; manifestPath: string } => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'tredive-model-'));
  cleanUp.push(() => {
    rmSync(dir, { recursive: true });
  });
  cpSync(path.dirname(builtInManifest), dir, { recursive: true });
  return { dir, manifestPath: path.join(dir, 'centernet.json') };
};

afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo();
});

describe('the detector pool', () => {
  it('answers every frame and gives its memory back', async () => {
    const pool = open();
    const results = await Promise.all(Array.from({ length: 5 }, () => pool.detect(frame(), 64, 64)));
    for (const result of results) {
      expect(result.detections).toEqual([]);
      expect(result.frame.length).toBe(3 * 64 * 64);
    }
  });

  it('fails closed when a thread dies: what is under way, what waits and what comes later is rejected', async () => {
    const pool = open();
    await pool.detect(frame(), 64, 64);
    const underWay = Array.from({ length: 6 }, () => pool.detect(frame(), 64, 64));
    const settled = Promise.allSettled(underWay);
    await pool.crashWorker();
    const rejected = (await settled).filter(({ status }) => status === 'rejected');
    expect(rejected.length).toBeGreaterThan(0);
    for (const result of rejected) expect(result).toMatchObject({ reason: { code: 'detector-failed' } });
    await expect(pool.detect(frame(), 64, 64)).rejects.toMatchObject({ code: 'detector-failed' });
  });

  it('rejects what is under way when it is closed', async () => {
    const pool = open();
    const pending = expect(pool.detect(frame(), 64, 64)).rejects.toMatchObject({ code: 'detector-failed' });
    await pool.close();
    await pending;
  });

  it('can be closed at any moment of its work without harm to the process, and twice', async () => {
    for (const waitMs of [0, 5, 20, 40]) {
      const pool = open();
      const large = (): Promise<unknown> => pool.detect(new Float32Array(3 * 512 * 384), 512, 384);
      await large();
      const underWay = Promise.allSettled([large(), large(), large()]);
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      await pool.close();
      for (const result of await underWay) {
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'detector-failed' });
      }
      await pool.close();
    }
  });

  it('says what to do when the model is not there', () => {
    const { dir } = copy();
    expect(() => open(path.join(dir, 'none.json'))).toThrow(
      expect.objectContaining({ code: 'detector-failed', message: expect.stringContaining('none.json') as string }),
    );
  });

  it('refuses a model that is not the one of its manifest', async () => {
    const { dir, manifestPath } = copy();
    const model = readFileSync(path.join(dir, 'centernet.onnx'));
    model[model.length >> 1] = (model[model.length >> 1] ?? 0) ^ 1;
    writeFileSync(path.join(dir, 'centernet.onnx'), model);
    await expect(open(manifestPath).detect(frame(), 64, 64)).rejects.toMatchObject({
      code: 'detector-failed',
      message: expect.stringContaining('not the file its manifest describes') as string,
    });
  });

  it('refuses a decoder it does not know', () => {
    const { manifestPath } = copy();
    const manifest = JSON.parse(readFileSync(manifestPath, 'utf8')) as object;
    writeFileSync(manifestPath, JSON.stringify({ ...manifest, decoder: 'astrology' }));
    expect(() => open(manifestPath)).toThrow(
      expect.objectContaining({ code: 'detector-failed', message: expect.stringContaining('decoder') as string }),
    );
  });

  it('refuses a frame of a size the model does not take', async () => {
    await expect(open().detect(new Float32Array(3 * 60 * 64), 60, 64)).rejects.toMatchObject({ code: 'internal' });
  });
});
