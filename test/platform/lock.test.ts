import { closeSync, mkdtempSync, openSync, renameSync, rmSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { tryLock } from '../../src/platform/native.js';

const place = mkdtempSync(join(tmpdir(), 'tredive-lock-'));
const path = join(place, 'file');
afterAll(() => {
  rmSync(place, { recursive: true, force: true });
});

test('one open file has the lock, whatever becomes of its name, until it is closed', () => {
  const [one, two] = [openSync(path, 'w'), openSync(path, 'r')];
  expect(tryLock(one)).toBe('locked');
  expect(tryLock(one)).toBe('locked');
  expect(tryLock(two)).toBe('taken');
  renameSync(path, `${path}.moved`);
  expect(tryLock(two)).toBe('taken');
  unlinkSync(`${path}.moved`);
  closeSync(one);
  expect(tryLock(two)).toBe('locked');
  closeSync(two);
});

test('what is not open is told', () => {
  expect(() => tryLock(-1)).toThrow(/flock: Bad file descriptor/);
  expect(() => tryLock(-1)).toThrow(expect.objectContaining({ code: 'io-failed' }) as Error);
});
