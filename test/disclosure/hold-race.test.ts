/** Holds and a sweep at the same time, by two processes on one database: footage is held and there, or gone and said to be. */
import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { placeHold, type HoldContext, type PlacedHold } from '../../src/disclosure/hold.js';
import type { User } from '../../src/domain/user.js';
import { GatewayError } from '../../src/errors.js';
import { applyDeletions } from '../../src/retention/delete.js';
import { activeHolds, listHolds } from '../../src/store/holds.js';
import { checkStore } from '../../src/store/check.js';
import {
  addCamera,
  addRoot,
  addSegment,
  afterTest,
  day,
  hour,
  june,
  makeTestStore,
  type TestStore,
} from '../helpers/store.js';

const minute = 60_000_000;
const legal: User = { id: 'u-legal', name: 'n', roles: ['legal'], disabledUs: null };
const begin = june - 29.9 * day;

/** Minutes of a camera, all of them due. */
function site(minutes: number): TestStore & { ctx: HoldContext; file(at: number): string } {
  const made = makeTestStore();
  const root = addRoot(made, 'nvr');
  addCamera(made, 'gate');
  for (let at = 0; at < minutes; at += 1) {
    addSegment(made, { camera: 'gate', path: `${at}.mp4`, startUs: begin + at * minute, minutes: 1 });
  }
  return Object.assign(made, {
    ctx: { store: made.store, site: { name: 'Main office', timezone: 'Europe/Copenhagen' } },
    file: (at: number) => join(root, `${at}.mp4`),
  });
}

/** Gives what became of a hold on the minutes from `from` up to `to`: refused because nothing is left, or placed. */
function hold(ctx: HoldContext, from: number, to: number): PlacedHold | null {
  try {
    return placeHold(ctx, legal, {
      facts: { ground: 'complaint', caseNumber: `K-${from}`, receivedOn: '2026-06-01' },
      reason: 'it is complained about',
      wideReason: null,
      cameraIds: ['gate'],
      startUs: begin + from * minute,
      endUs: begin + to * minute,
      reviewUs: june + 30 * day,
    });
  } catch (error) {
    expect(error).toMatchObject({ code: 'footage-gone' });
    return null;
  }
}

describe('D5 hold against sweep, by real processes', () => {
  test('every segment is held and on disk, or gone, and its hold said so', async () => {
    const minutes = 90;
    const made = site(minutes);
    writeFileSync(join(made.dir, 'key.pem'), made.privateKey.export({ format: 'pem', type: 'pkcs8' }));
    const placed: { from: number; to: number; result: PlacedHold | null }[] = [];
    const place = (from: number, to: number): void => {
      placed.push({ from, to, result: hold(made.ctx, from, to) });
    };
    // Before the sweep begins, in the middle of what it is about to delete.
    place(40, 41);
    const child = spawn(
      process.execPath,
      [
        fileURLToPath(new URL('hold-child.mjs', import.meta.url)),
        new URL('../../dist/', import.meta.url).href,
        made.dir,
        String(june),
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    afterTest(() => {
      child.kill('SIGKILL');
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    expect((await lines.next()).value).toBe('ready');
    // From the newest to the oldest, against the order in which the sweep deletes; three minutes of which two are asked for.
    for (let from = minutes - 2; from > 1; from -= 3) {
      place(from, from + 2);
      await sleep(0);
    }
    while (existsSync(made.file(0))) await sleep(5);
    place(0, 1);
    child.stdin.end();
    const { deleted } = JSON.parse(String((await lines.next()).value)) as { deleted: number };
    await applyDeletions(made.retention);

    expect(placed[0]?.result).not.toBeNull();
    expect(placed.at(-1)?.result).toBeNull();
    const kept = new Set<number>();
    for (const { from, to, result } of placed) {
      const gone = (result?.gone ?? []).flatMap(({ startUs, endUs }) => [
        (startUs - begin) / minute,
        (endUs - begin) / minute,
      ]);
      for (let at = from; at < to; at += 1) {
        const saidGone = result === null || (at >= (gone[0] ?? Infinity) && at < (gone.at(-1) ?? 0));
        expect(existsSync(made.file(at)), `minute ${at} of a hold on ${from} to ${to}`).toBe(!saidGone);
        if (!saidGone) kept.add(at);
      }
      if (result !== null)
        expect(result.segments + result.gone.reduce((sum, { segments }) => sum + segments, 0)).toBe(to - from);
    }
    for (let at = 0; at < minutes; at += 1) expect(existsSync(made.file(at)), `minute ${at}`).toBe(kept.has(at));
    expect(deleted).toBeGreaterThan(0);
    expect(listHolds(made.db)).toHaveLength(placed.filter(({ result }) => result !== null).length);
    expect(checkStore(made.db)).toEqual([]);
    expect(made.verify().problems).toEqual([]);
  });
});

describe('C15 a full disk never touches a hold', () => {
  test('the database has no room: no hold is said to be placed, and what is held stays', async () => {
    const made = site(6);
    expect(hold(made.ctx, 0, 3)?.segments).toBe(3);
    const pages = made.db.pragma('page_count', { simple: true }) as number;
    made.db.pragma(`max_page_count = ${pages}`);
    made.nowUs += hour;
    let full: unknown = null;
    // As many as the free room of the last pages takes.
    for (let tries = 0; tries < 200 && full === null; tries += 1) {
      try {
        placeHold(made.ctx, legal, {
          facts: { ground: 'complaint', caseNumber: 'K', receivedOn: '2026-06-01' },
          reason: 'r'.repeat(2000),
          wideReason: null,
          cameraIds: ['gate'],
          startUs: begin + 4 * minute,
          endUs: begin + 5 * minute,
          reviewUs: june + 30 * day,
        });
      } catch (error) {
        full = error;
      }
    }
    expect(full instanceof GatewayError ? full.code : (full as { code?: string }).code).toMatch(
      /FULL|disk-full|audit-unwritable/,
    );
    const before = activeHolds(made.db, made.nowUs).map(({ id }) => id);
    // Whether the sweep finds room for its own records in the last pages or not: what is held is none of it.
    await applyDeletions(made.retention).catch((error: unknown) => {
      expect(String(error)).toMatch(/full/);
    });
    expect(activeHolds(made.db, made.nowUs).map(({ id }) => id)).toEqual(before);
    for (const at of [0, 1, 2]) expect(existsSync(made.file(at))).toBe(true);
  });

  test('the disk refuses to delete for want of room: what is held is not touched, what is not is tried again', async () => {
    const made = site(6);
    hold(made.ctx, 0, 3);
    const asked: string[] = [];
    const ctx = {
      ...made.retention,
      unlink: (_root: string, files: readonly { readonly relativePath: string | Buffer }[]) => {
        asked.push(...files.map(({ relativePath }) => String(relativePath)));
        return Promise.reject(Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' }));
      },
    };
    expect(await applyDeletions(ctx)).toMatchObject({ deleted: 0, held: 3 });
    expect(asked.sort()).toEqual(['3.mp4', '4.mp4', '5.mp4']);
    expect(await applyDeletions(made.retention)).toMatchObject({ deleted: 3, held: 3 });
    for (const at of [0, 1, 2]) expect(existsSync(made.file(at))).toBe(true);
  });
});
