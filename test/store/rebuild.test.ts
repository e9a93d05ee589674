/** C13: deleted names are nowhere in the file, whatever the pages that they were moved through. */
import { readFileSync, statSync } from 'node:fs';
import { expect, test } from 'vitest';
import { openDatabase, rebuild, truncateWal } from '../../src/store/database.js';
import { checkStore } from '../../src/store/check.js';
import { insertAllIfNew } from '../../src/store/segment-inserts.js';
import { removeSegment, segmentsOfRoot } from '../../src/store/segments.js';
import { addCamera, addRoot, day, june, makeTestStore } from '../helpers/store.js';

const marker = 'Zqj7731Wvk';

const timesIn = (path: string): number => readFileSync(path).toString('latin1').split(marker).length - 1;

test('C13 what secure_delete leaves in the gaps of pages goes when the database is written anew', () => {
  const made = makeTestStore();
  const { db } = made;
  addRoot(made, 'nvr');
  let seed = 7;
  const random = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * below);
  };
  const cameras = ['lobby', 'yard', 'gate'];
  for (const camera of cameras) addCamera(made, camera);
  made.store.act('gateway', (note) => {
    note('recordings.indexed', 'root:nvr', {});
    // As an archive is indexed that is copied in by hand: cameras, times and names in no order.
    for (let page = 0; page < 60; page += 1) {
      insertAllIfNew(
        db,
        Array.from({ length: 100 }, (_, index) => {
          const number = page * 100 + index;
          const startUs = june - random(20 * 86_400) * 1_000_000;
          return {
            rootId: 'nvr',
            path: `in/${number % 3 === 0 ? marker : 'kept'}-${random(1e9)}-${number}-${'q'.repeat(random(60))}.mp4`,
            cameraId: cameras[random(3)] ?? '',
            startUs,
            endUs: startUs + 10_000_000,
            timeSource: 'name-utc',
            timeQuality: 'agreed',
            timeDisagreementMs: 0,
            sizeBytes: 1_000,
            inode: String(number + 1),
            mtimeUs: startUs,
            container: 'mp4',
            codec: 'h264',
            width: 640,
            height: 360,
            frameRate: 10,
            hasAudio: false,
            truncated: false,
            firstSeenUs: june,
          } as const;
        }),
      );
    }
  });
  const gone = [...segmentsOfRoot(db, 'nvr')].filter(({ path }) => path.includes(marker)).map(({ id }) => id);
  expect(gone).toHaveLength(2_000);
  made.nowUs += day;
  made.store.act('gateway', (note) => {
    while (gone.length > 0) removeSegment(db, gone.splice(random(gone.length), 1)[0] ?? 0);
    note('recordings.indexed', 'root:nvr', {});
  });
  expect(truncateWal(db)).toBe(true);
  // This is why: without it the test would prove nothing.
  expect(timesIn(db.name)).toBeGreaterThan(0);

  rebuild(db);
  expect(timesIn(db.name)).toBe(0);
  expect(statSync(`${db.name}-wal`).size).toBe(0);
  expect(checkStore(db)).toEqual([]);
  expect([...segmentsOfRoot(db, 'nvr')]).toHaveLength(4_000);
  expect(db.pragma('secure_delete', { simple: true })).toBe(1);
});

test('C13 a database that another process writes to is left as it is, and says so', () => {
  const made = makeTestStore();
  made.db.pragma('busy_timeout = 50');
  const other = openDatabase(made.db.name);
  other.exec('BEGIN IMMEDIATE');
  expect(() => {
    rebuild(made.db);
  }).toThrow(expect.objectContaining({ code: 'database-failed' }));
  other.exec('ROLLBACK');
  other.close();
  rebuild(made.db);
  expect(checkStore(made.db)).toEqual([]);
});
