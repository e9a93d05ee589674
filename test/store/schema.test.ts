import BetterSqlite3 from 'better-sqlite3';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { classRules, cameraClasses } from '../../src/domain/camera.js';
import { applyDeletions } from '../../src/retention/delete.js';
import { checkStore } from '../../src/store/check.js';
import { migrate, migrations, openDatabase, schemaSql, truncateWal, type Database } from '../../src/store/database.js';
import { missingFromSchema, normalise, schemaShape } from '../../src/store/schema-shape.js';
import {
  addCamera,
  addHold,
  addRoot,
  addSegment,
  afterTest,
  day,
  june,
  makeTestStore,
  tempDir,
} from '../helpers/store.js';

function memory(...sql: string[]): Database {
  const db = new BetterSqlite3(':memory:');
  afterTest(() => {
    db.close();
  });
  for (const each of sql) db.exec(each);
  return db;
}

/** Everything SQLite says about the structure, by its pragmas: a second opinion beside the text of the statements. */
function pragmas(db: Database): unknown {
  const tables = db
    .prepare(`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`)
    .pluck()
    .all() as string[];
  return tables.map((table) => {
    const indexes = (
      db.pragma(`index_list(${table})`) as { name: string; unique: number; origin: string; partial: number }[]
    )
      .map(({ name, unique, origin, partial }) => ({
        name,
        unique,
        origin,
        partial,
        columns: db.pragma(`index_xinfo(${name})`),
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    return {
      table,
      columns: db.pragma(`table_xinfo(${table})`),
      foreignKeys: db.pragma(`foreign_key_list(${table})`),
      list: db.prepare('SELECT type, ncol, wr, strict FROM pragma_table_list WHERE name = ?').get(table),
      indexes,
    };
  });
}

const chain = (): string[] => migrations().map((step) => step.sql);

describe('migrations', () => {
  test('one after the other they make what schema.sql makes', () => {
    const fresh = memory(schemaSql());
    const upgraded = memory(...chain());
    expect([...schemaShape(upgraded)]).toEqual([...schemaShape(fresh)]);
    expect(pragmas(upgraded)).toEqual(pragmas(fresh));
    expect(missingFromSchema(upgraded)).toEqual([]);
  });

  test.each([
    ['a column', (sql: string) => sql.replace('last_error TEXT', 'last_error TEXT, extra TEXT')],
    ['a type', (sql: string) => sql.replace('mtime_us INTEGER NOT NULL,', 'mtime_us REAL NOT NULL,')],
    ['a NOT NULL', (sql: string) => sql.replace('purpose TEXT NOT NULL,', 'purpose TEXT,')],
    ['the number in a CHECK', (sql: string) => sql.replace('THEN 365 ELSE 30', 'THEN 365 ELSE 31')],
    ['a CHECK', (sql: string) => sql.replace('CHECK (end_us > start_us),', '')],
    ['a foreign key', (sql: string) => sql.replace('TEXT NOT NULL REFERENCES root (id)', 'TEXT NOT NULL')],
    ['an index', (sql: string) => sql.replace(/CREATE INDEX deletion_by_camera[^;]+;/, '')],
    [
      'the condition of an index',
      (sql: string) => sql.replace(`(segment_id) WHERE state = 'intended'`, '(segment_id)'),
    ],
    ['a trigger', (sql: string) => sql.replace(/CREATE TRIGGER audit_event_no_delete[^;]+;\s*END;/, '')],
    ['the text of a trigger', (sql: string) => sql.replace('the audit log is append-only', 'so what')],
    ['STRICT', (sql: string) => sql.replace(') STRICT;', ');')],
  ])('a schema.sql that differs by %s is noticed', (_name, change) => {
    const changed = change(schemaSql().replace(/ *--[^\n]*/g, ''));
    expect(changed).not.toBe(schemaSql().replace(/ *--[^\n]*/g, ''));
    const fresh = memory(changed);
    expect([...schemaShape(fresh)]).not.toEqual([...schemaShape(memory(...chain()))]);
  });

  test('the first one is what the first release had', () => {
    expect(migrations().map(({ version, name }) => [version, name])).toEqual([
      [1, '0001-initial.sql'],
      [2, '0002-retention-clock-and-held.sql'],
      [3, '0003-roots-and-moved-files.sql'],
      [4, '0004-ranges-and-footage.sql'],
      [5, '0005-rows-by-camera-and-time.sql'],
      [6, '0006-find.sql'],
      [7, '0007-segment-clocks.sql'],
      [8, '0008-brake.sql'],
      [9, '0009-retention-changes.sql'],
      [10, '0010-holds.sql'],
      [11, '0011-vault.sql'],
      [12, '0012-camera-facts-and-clocks.sql'],
      [13, '0013-recorder-numbers.sql'],
    ]);
  });

  test('an old database with rows keeps them all, its numbers and its references', () => {
    const path = join(tempDir(), 'old.db');
    const old = new BetterSqlite3(path);
    const [first] = migrations();
    old.exec(first?.sql ?? '');
    old.pragma(`application_id = 1953653878`);
    old.pragma('user_version = 1');
    const insert = old.prepare(
      `INSERT INTO deletion (segment_id, camera_id, start_us, end_us, size_bytes, inode, rule_id, due_us, intended_us, state,
         done_us, result, attempts, last_error) VALUES (?, 'lobby', 1, 2, 3, '4', 'class-limit/1', 5, 6, ?, ?, ?, ?, ?)`,
    );
    insert.run(1, 'done', 7, 'unlinked', 0, null);
    insert.run(2, 'refused', 8, 'not-the-indexed-file', 1, null);
    insert.run(3, 'intended', null, null, 2, 'EIO');
    insert.run(4, 'done', 9, 'already-absent', 0, null);
    // The highest number was used, and its row is gone: it must not be given out again.
    old.exec('DELETE FROM deletion WHERE segment_id = 4');
    old.exec('INSERT INTO sweep_state (only, last_sweep_us) VALUES (1, 1234)');
    const before = old.prepare('SELECT * FROM deletion ORDER BY id').all();
    old.close();

    const db = openDatabase(path);
    afterTest(() => {
      db.close();
    });
    expect(db.pragma('user_version', { simple: true })).toBe(migrations().length);
    expect(missingFromSchema(db)).toEqual([]);
    expect(db.prepare('SELECT * FROM deletion ORDER BY id').all()).toEqual(before);
    expect(db.prepare('SELECT * FROM sweep_state').all()).toEqual([
      { only: 1, last_sweep_us: 1234, boot_id: null, uptime_us: null, accepted_size: null },
    ]);
    const next = db
      .prepare(
        `INSERT INTO deletion (segment_id, camera_id, start_us, end_us, size_bytes, inode, rule_id, due_us, intended_us, state, done_us, result)
         VALUES (5, 'lobby', 1, 2, 3, '4', 'class-limit/1', 5, 6, 'refused', 7, 'held')`,
      )
      .run().lastInsertRowid;
    expect(next).toBe(5);
    expect(db.pragma('foreign_keys', { simple: true })).toBe(1);
  });

  test('what was made from footage keeps its rows, its segments and its numbers', () => {
    const path = join(tempDir(), 'old.db');
    const old = new BetterSqlite3(path);
    for (const { sql } of migrations().slice(0, 4)) old.exec(sql);
    old.pragma(`application_id = 1953653878`);
    old.pragma('user_version = 4');
    old.exec(`INSERT INTO user (id, name, roles, password_hash, created_us) VALUES ('u', 'n', '[]', 'x', 1);
      INSERT INTO disclosure_request (id, state, ground, recipient_kind, recipient_name, recipient_contact, journal_number,
        purpose, start_us, end_us, requested_by, requested_us) VALUES ('r-1', 'closed', 'police', 'police', 'a', 'b', 'c', 'd', 1, 2, 'u', 3);
      INSERT INTO derived_file (path, kind, request_id, created_us) VALUES ('requests/r-1/plans/0.json', 'plan', 'r-1', 4), ('gone', 'plan', 'r-1', 5);
      INSERT INTO derived_source VALUES (1, 77), (1, 78);
      DELETE FROM derived_file WHERE id = 2`);
    old.close();
    const db = openDatabase(path);
    afterTest(() => {
      db.close();
    });
    expect(db.prepare('SELECT * FROM derived_file').all()).toEqual([
      { id: 1, path: 'requests/r-1/plans/0.json', kind: 'plan', request_id: 'r-1', created_us: 4, size_bytes: null },
    ]);
    expect(db.prepare('SELECT segment_id FROM derived_source ORDER BY 1').pluck().all()).toEqual([77, 78]);
    const insert = `INSERT INTO derived_file (path, kind, request_id, created_us) VALUES ('p', ?, ?, 1)`;
    expect(() => db.prepare(insert).run('still', 'r-1')).toThrow('CHECK constraint');
    expect(() => db.prepare(insert).run('plan', null)).toThrow('CHECK constraint');
    expect(db.prepare(insert).run('still', null).lastInsertRowid).toBe(3);
    db.exec('DELETE FROM derived_file WHERE id = 1');
    expect(db.prepare('SELECT count(*) FROM derived_source').pluck().get()).toBe(0);
  });

  test('an old database without a deletion upgrades too', () => {
    const db = memory(...chain());
    db.exec(`INSERT INTO deletion (segment_id, camera_id, start_us, end_us, size_bytes, inode, rule_id, due_us, intended_us, state)
      VALUES (1, 'a', 1, 2, 3, '4', 'r/1', 5, 6, 'intended')`);
    expect(db.prepare('SELECT id FROM deletion').pluck().get()).toBe(1);
  });

  test('a crash in the middle of one leaves the version before it, whole', () => {
    const path = join(tempDir(), 'old.db');
    const old = new BetterSqlite3(path);
    old.exec(migrations()[0]?.sql ?? '');
    old.pragma(`application_id = 1953653878`);
    old.pragma('user_version = 1');
    // What the second migration needs is in its way: it fails after its first statements.
    old.exec('CREATE INDEX audit_checkpoint_by_time ON audit_checkpoint (at_us)');
    const before = [...schemaShape(old)];
    expect(() => {
      migrate(old);
    }).toThrow('already exists');
    expect(old.pragma('user_version', { simple: true })).toBe(1);
    expect([...schemaShape(old)]).toEqual(before);
    expect(old.pragma('foreign_keys', { simple: true })).toBe(1);
    old.close();
  });

  test('a newer database and a foreign one are refused, untouched', () => {
    const newer = memory(schemaSql());
    newer.pragma(`application_id = 1953653878`);
    newer.pragma('user_version = 99');
    expect(() => {
      migrate(newer);
    }).toThrow('schema version 99');
    const foreign = memory('CREATE TABLE theirs (x)');
    expect(() => {
      migrate(foreign);
    }).toThrow('not one of tredive');
    expect([...schemaShape(foreign)]).toEqual([['table theirs', normalise('CREATE TABLE theirs (x)')]]);
  });
});

describe('SCHEMA.md', () => {
  const text = readFileSync(new URL('../../src/store/SCHEMA.md', import.meta.url), 'utf8');
  test('names every table and every invariant that the check can report, and no other', () => {
    const tables = [...schemaShape(memory(schemaSql())).keys()]
      .filter((name) => name.startsWith('table '))
      .map((name) => name.slice(6));
    for (const table of tables) expect(text, table).toContain(`\`${table}\``);
    const sources = [
      ...['store/check.ts', 'store/check-tables.ts', 'retention/check-disk.ts', 'retention/check-journal.ts'],
      'retention/vault/check-vault.ts',
    ].map((name) => readFileSync(new URL(`../../src/${name}`, import.meta.url), 'utf8'));
    const reported = new Set(
      sources
        .join('')
        .match(/'I\d+'/g)
        ?.map((id) => id.slice(1, -1)),
    );
    const numbered = new Set([...text.matchAll(/^\| (I\d+) +\|/gm)].map((match) => match[1]));
    expect([...reported].sort()).toEqual([...numbered].sort());
  });

  test('every column has its comment in schema.sql', () => {
    const lines = schemaSql()
      .split('\n')
      .filter((line) => /^ {2}[a-z0-9_]+ (TEXT|INTEGER|REAL|BLOB)/.test(line));
    expect(lines.length).toBeGreaterThan(140);
    for (const line of lines) expect(line).toContain(' -- ');
  });
});

describe('CHECK constraints', () => {
  test('say the same maximum as the rules of the classes', () => {
    const { db, ...rest } = makeTestStore();
    addCamera({ ...rest }, 'lobby', {});
    const set = db.prepare(
      `UPDATE camera SET class = ?, retention_days = ?, retention_reason = 'long enough a reason'`,
    );
    for (const name of cameraClasses) {
      const { maxRetentionDays } = classRules[name];
      expect(() => set.run(name, maxRetentionDays)).not.toThrow();
      expect(() => set.run(name, 1)).not.toThrow();
      for (const days of [maxRetentionDays + 1, 0, -1, Number.MAX_SAFE_INTEGER]) {
        expect(() => set.run(name, days), `${name} ${days}`).toThrow('CHECK constraint');
      }
      expect(() => set.run(name, null)).toThrow('NOT NULL');
      expect(() => set.run(name, 'unlimited')).toThrow('cannot store TEXT');
      expect(() => set.run(name, 29.5)).toThrow('cannot store REAL');
    }
  });

  test.each<[string, string]>([
    ['31 days', `UPDATE camera SET retention_days = 31`],
    ['other-purpose without a reason', `UPDATE camera SET class = 'other-purpose'`],
    ['a class that does not exist', `UPDATE camera SET class = 'everything'`],
    ['a segment that ends before it starts', `UPDATE segment SET end_us = start_us`],
    ['an empty file', `UPDATE segment SET size_bytes = 0`],
    ['missing and being deleted', `UPDATE segment SET deleting = 1, missing_since_us = 1`],
    ['a name that is a path', `UPDATE segment SET name = 'lobby/a.mp4'`],
    ['a folder without its slash', `UPDATE folder SET path = 'lobby'`],
    ['a camera that is not registered', `UPDATE segment SET camera_number = 99`],
    ['a camera with footage that nobody counts', `DELETE FROM camera_footage`],
    ['a camera with footage is not deleted', `DELETE FROM camera`],
    ...(
      [
        ['a hold without end', 'review_us = placed_us + 7776000000001'],
        ['a hold without a reference', `reference = ' '`],
        ['a hold on free text alone', 'facts = NULL'],
        ['a hold with the facts of another ground', `ground = 'legal-duty'`],
        ['a wide hold without a reason', 'wide_reason = NULL, end_us = start_us + 3600000001'],
        [
          'a hold of security that legal has not seen, for more than 14 days',
          `placed_as = 'security', approve_by_us = 1, approved_us = NULL, approved_by = NULL`,
        ],
        ['a hold that was approved by who placed it', `placed_as = 'security', approve_by_us = 1`],
        ['a hold that ended without saying how', `lifted_us = 1, lifted_by = 'u'`],
        ['an orderly end that was none', 'orderly = 1'],
      ] as const
    ).map(([name, change]): [string, string] => [name, `UPDATE hold SET ${change}`]),
    [
      'a ground for municipal cameras without a reason',
      `INSERT INTO enabled_ground VALUES ('municipal', 'dispute', '', 'u', 1)`,
    ],
    [
      'a ground for another class',
      `INSERT INTO enabled_ground VALUES ('permit', 'dispute', 'long enough a reason', 'u', 1)`,
    ],
    [
      'a deletion that is done without a result',
      `INSERT INTO deletion (segment_id, camera_id, start_us, end_us, size_bytes, inode, rule_id, due_us, intended_us, state, done_us) VALUES (1, 'lobby', 0, 1, 1, '1', 'r/1', 0, 0, 'done', 1)`,
    ],
  ])('%s is refused by the database itself', (_name, sql) => {
    const made = makeTestStore();
    addCamera(made, 'lobby');
    addRoot(made, 'nvr');
    addSegment(made, { camera: 'lobby', path: 'a.mp4', startUs: june });
    addHold(made, { id: 'h', cameras: ['lobby'], startUs: june, endUs: june + 1 });
    expect(() => made.db.exec(sql)).toThrow();
  });

  test('two open intents for one segment, two cameras for one device', () => {
    const made = makeTestStore();
    const intent = `INSERT INTO deletion (segment_id, camera_id, start_us, end_us, size_bytes, inode, rule_id, due_us, intended_us, state)
      VALUES (1, 'lobby', 0, 1, 1, '1', 'r/1', 0, 0, 'intended')`;
    made.db.exec(intent);
    expect(() => made.db.exec(intent)).toThrow('UNIQUE');
    addCamera(made, 'a');
    addCamera(made, 'b');
    expect(() => made.db.exec(`UPDATE camera SET mac = '00:11:22:33:44:55'`)).toThrow('UNIQUE');
    expect(() => made.db.exec(`UPDATE camera SET manufacturer = 'm', serial = 's'`)).toThrow('UNIQUE');
  });
});

test('a deleted segment leaves nothing of its path in the database or the WAL', async () => {
  const made = makeTestStore();
  addCamera(made, 'lobby');
  addRoot(made, 'nvr');
  const marker = 'MARKER-7f3a9c';
  for (let index = 0; index < 300; index += 1) {
    addSegment(made, { camera: 'lobby', path: `${marker}/${index}.mp4`, startUs: june - 29.5 * day - index });
  }
  addSegment(made, { camera: 'lobby', path: 'young.mp4', startUs: june });
  const holding = (): string[] =>
    readdirSync(made.dataDir).filter((name) => readFileSync(join(made.dataDir, name)).includes(marker));
  truncateWal(made.db);
  expect(holding()).toEqual(['tredive.db']);
  expect(await applyDeletions(made.retention)).toMatchObject({ deleted: 300 });
  expect(holding()).toEqual([]);
});

test('while somebody reads, the WAL stays, and the next sweep empties it', async () => {
  const made = makeTestStore();
  addCamera(made, 'lobby');
  addRoot(made, 'nvr');
  const reader = openDatabase(join(made.dataDir, 'tredive.db'), { readonly: true });
  reader.exec('BEGIN');
  reader.prepare('SELECT count(*) FROM segment').get();
  addSegment(made, { camera: 'lobby', path: 'a.mp4', startUs: june - 29.5 * day });
  made.db.pragma('busy_timeout = 100');
  expect(await applyDeletions(made.retention)).toMatchObject({ deleted: 1 });
  expect(truncateWal(made.db)).toBe(false);
  reader.close();
  await applyDeletions(made.retention);
  expect(readFileSync(join(made.dataDir, 'tredive.db-wal'))).toHaveLength(0);
});

test('another kind of file in the place of the database is an error with what to do, and stays as it is', () => {
  const path = join(tempDir(), 'x.db');
  writeFileSync(path, 'this is no database, but it is somebody’s letter '.repeat(50));
  expect(() => openDatabase(path)).toThrow(expect.objectContaining({ code: 'database-failed' }) as Error);
  expect(readFileSync(path, 'utf8')).toContain('letter');
});

test('the check works on a database opened for reading', () => {
  const made = makeTestStore();
  const reader = openDatabase(join(made.dataDir, 'tredive.db'), { readonly: true });
  expect(checkStore(reader)).toEqual([]);
  expect(() => reader.exec('DELETE FROM task')).toThrow('readonly');
  reader.close();
});
