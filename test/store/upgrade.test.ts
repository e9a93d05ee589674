/** An index of the version before, with rows of every kind, becomes what it would be had it been entered today. */
import BetterSqlite3 from 'better-sqlite3';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Segment } from '../../src/domain/segment.js';
import { activeHolds, holdOfRequest, listHolds } from '../../src/store/holds.js';
import { checkStore } from '../../src/store/check.js';
import { migrations, openDatabase, type Database } from '../../src/store/database.js';
import { missingFromSchema, schemaShape } from '../../src/store/schema-shape.js';
import { insertSegment } from '../../src/store/segment-inserts.js';
import { findByPath, footageByCamera, segmentsOfRoot } from '../../src/store/segments.js';
import { someRow } from '../helpers/rows.js';
import { afterTest, day, june, tempDir } from '../helpers/store.js';

const minuteUs = 60_000_000;

const rows: Segment[] = [
  { path: 'gate/a.mp4', inode: '0' },
  { path: 'gate/b.mp4', inode: '9007199254740993', frameRate: 29.97 },
  { path: 'at-the-top.mp4', inode: '9223372036854775807', frameRate: null, hasAudio: true },
  { path: 'gate/2026/c.ts', inode: '9223372036854775808', container: 'mpegts', truncated: true },
  { path: 'yard/æ\u{1f4f9}/d.mp4', inode: '18446744073709551615', cameraId: 'yard', timeDisagreementMs: -90_000 },
  { path: 'yard/e.mp4', inode: '18446744073000000000', cameraId: 'yard', timeQuality: 'disagreeing' as const },
  { path: 'yard/f.mp4', inode: '10000000000000000000', cameraId: 'yard', endUs: june + 90 * minuteUs },
  { path: 'gate/g.mp4', rootId: 'old', state: 'missing' as const },
  { path: 'gate/h.mp4', state: 'deleting' as const, startUs: june - 29.6 * day },
].map((row, index) => {
  const { state = 'indexed', ...facts } = row;
  return { ...someRow(facts), id: index + 1, state };
});

/** A file as the version before left it. The last id it gave is of a row that is gone. */
function versionFour(): { path: string; old: Database } {
  const path = join(tempDir(), 'old.db');
  const old = new BetterSqlite3(path);
  for (const { sql } of migrations().slice(0, 4)) old.exec(sql);
  old.pragma('application_id = 1953653878');
  old.pragma('user_version = 4');
  old.exec(`INSERT INTO root (id, path, identity, first_seen_us) VALUES ('nvr', '/nvr', '1', 0), ('old', '/old', '2', 0);
    INSERT INTO camera (id, label, class, retention_days, purpose, origin, adopted, created_us)
      VALUES ('yard', 'y', 'permit', 30, 'p', 'config', 1, 0), ('gate', 'g', 'permit', 30, 'p', 'config', 1, 0),
        ('idle', 'i', 'permit', 30, 'p', 'config', 1, 0)`);
  const insert = old.prepare(
    `INSERT INTO segment VALUES (@id, @rootId, @path, @cameraId, @startUs, @endUs, @timeSource, @timeQuality, @timeDisagreementMs,
       @sizeBytes, @inode, @mtimeUs, @container, @codec, @width, @height, @frameRate, @hasAudio, @truncated, @state, @firstSeenUs,
       @missingSinceUs)`,
  );
  for (const row of [...rows, { ...someRow({ path: 'gate/last.mp4' }), id: 40, state: 'indexed' as const }]) {
    insert.run({
      ...row,
      hasAudio: Number(row.hasAudio),
      truncated: Number(row.truncated),
      missingSinceUs: row.state === 'missing' ? june : null,
    });
  }
  old.exec(`DELETE FROM segment WHERE id = 40;
    INSERT INTO deletion (segment_id, camera_id, start_us, end_us, size_bytes, inode, rule_id, due_us, intended_us, state)
      SELECT id, camera_id, start_us, end_us, size_bytes, inode, 'r/1', 0, 0, 'intended' FROM segment WHERE state = 'deleting'`);
  return { path, old };
}

describe('the upgrade to rows by camera and time', () => {
  test('keeps every row as it was, whatever its inode, and the numbers that were given', () => {
    const { path, old } = versionFour();
    old.close();
    const db = openDatabase(path);
    afterTest(() => {
      db.close();
    });
    expect(missingFromSchema(db)).toEqual([]);
    const found = [...segmentsOfRoot(db, 'nvr'), ...segmentsOfRoot(db, 'old')];
    expect(found.sort((a, b) => a.id - b.id)).toEqual(rows);
    expect(db.prepare('SELECT missing_since_us FROM segment WHERE missing_since_us IS NOT NULL').pluck().all()).toEqual(
      [june],
    );
    expect(checkStore(db).filter(({ invariant }) => !['I8', 'I9', 'I13'].includes(invariant))).toEqual([]);
    expect(footageByCamera(db).map(({ cameraId, segments, missing }) => [cameraId, segments, missing])).toEqual([
      ['gate', 5, 1],
      ['idle', 0, 0],
      ['yard', 3, 0],
    ]);
    const next = { ...someRow({ path: 'idle/new.mp4' }), cameraId: 'idle' };
    expect(insertSegment(db, next)).toBe(41);
    expect(findByPath(db, 'nvr', 'idle/new.mp4')).toEqual({ ...next, id: 41, state: 'indexed' });
    // The pages of the old table are given back.
    expect(db.pragma('freelist_count', { simple: true })).toBe(0);
  });

  test('an index without rows upgrades too', () => {
    const { path, old } = versionFour();
    old.exec('DELETE FROM deletion; DELETE FROM segment; DELETE FROM camera_footage; DELETE FROM camera');
    old.close();
    const db = openDatabase(path);
    afterTest(() => {
      db.close();
    });
    expect([...segmentsOfRoot(db, 'nvr')]).toEqual([]);
    expect(footageByCamera(db)).toEqual([]);
  });

  test.each([
    ['a path that ends with a slash', `UPDATE segment SET path = 'gate/' WHERE id = 2`],
    // Whoever took the camera away left footage that would be nobody's.
    ['a row of a camera that is not there', `PRAGMA foreign_keys = OFF; DELETE FROM camera WHERE id = 'yard'`],
  ])('where a row cannot come along (%s) nothing is changed', (_name, damage) => {
    const { path, old } = versionFour();
    old.exec(damage);
    const before = old.prepare('SELECT * FROM segment ORDER BY id').all();
    const shape = [...schemaShape(old)];
    old.close();
    expect(() => openDatabase(path)).toThrow('CHECK constraint failed');
    const still = new BetterSqlite3(path);
    expect(still.pragma('user_version', { simple: true })).toBe(4);
    expect([...schemaShape(still)]).toEqual(shape);
    expect(still.prepare('SELECT * FROM segment ORDER BY id').all()).toEqual(before);
    still.close();
  });
});

describe('the upgrade to holds with facts', () => {
  test('old holds keep their dates, their force and their cameras; nothing is asked of them any more', () => {
    const path = join(tempDir(), 'nine.db');
    const old = new BetterSqlite3(path);
    for (const { sql } of migrations().slice(0, 9)) old.exec(sql);
    old.pragma('application_id = 1953653878');
    old.pragma('user_version = 9');
    old.exec(`INSERT INTO camera (id, label, class, retention_days, purpose, origin, adopted, created_us)
        VALUES ('gate', 'gate', 'municipal', 30, 'p', 'config', 1, 0);
      INSERT INTO user (id, name, roles, password_hash, created_us) VALUES ('u', 'n', '[]', 'x', 1);
      INSERT INTO disclosure_request (id, state, ground, recipient_kind, recipient_name, recipient_contact, journal_number,
        purpose, start_us, end_us, requested_by, requested_us) VALUES ('r-1', 'requested', 'police', 'police', 'a', 'b', 'c', 'd', 1, 2, 'u', 3);`);
    const insert = old.prepare(
      `INSERT INTO hold (id, ground, reference, reason, request_id, start_us, end_us, placed_by, placed_us, review_us, lifted_us, lifted_by)
       VALUES (?, ?, 'J-1', 'why', ?, ?, ?, 'user:u', ?, ?, ?, ?)`,
    );
    // Longer than an hour, as nobody had to give a reason for then.
    insert.run('h-open', 'dispute', null, june, june + 5 * day, june, june + 90 * day, null, null);
    insert.run('h-over', 'legal-duty', null, june, june + 1, june, june + day, june + 7, 'user:u');
    insert.run('h-request', 'disclosure-request', 'r-1', june, june + 1, june, june + 30 * day, null, null);
    insert.run('h-freeze', 'access-request', null, june, june + 1, june, june + 30 * day, null, null);
    old.exec(`INSERT INTO hold_camera SELECT id, 'gate' FROM hold`);
    old.close();

    const db = openDatabase(path);
    afterTest(() => {
      db.close();
    });
    expect(missingFromSchema(db)).toEqual([]);
    expect(
      listHolds(db).map(({ id, placedAs, facts, approveByUs, outcome, reviewUs, reviewSetUs }) => [
        ...[id, placedAs, facts, approveByUs, outcome],
        ...[(reviewUs - june) / day, reviewSetUs - june],
      ]),
    ).toEqual([
      ['h-freeze', 'upgraded', null, null, null, 30, 0],
      ['h-open', 'upgraded', null, null, null, 90, 0],
      ['h-over', 'upgraded', null, null, 'lifted', 1, 0],
      ['h-request', 'request', null, null, null, 30, 0],
    ]);
    expect(activeHolds(db, june + 89 * day).map(({ id, cameraIds }) => [id, cameraIds])).toEqual([
      ['h-freeze', ['gate']],
      ['h-open', ['gate']],
    ]);
    expect(holdOfRequest(db, 'r-1')?.id).toBe('h-request');
    expect(checkStore(db).filter(({ invariant }) => invariant === 'I10' || invariant === 'I12')).toEqual([]);
  });
});
