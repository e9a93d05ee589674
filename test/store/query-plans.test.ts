/** With millions of rows a question that reads them all takes seconds, in which the gateway answers nobody: none may. */
import { expect, test } from 'vitest';
import * as inserts from '../../src/store/segment-inserts.js';
import * as segments from '../../src/store/segments.js';
import * as shown from '../../src/store/segments-shown.js';
import { insertRow, someRow } from '../helpers/rows.js';
import { addCamera, addRoot, june, makeTestStore } from '../helpers/store.js';

/** Steps that are as good as they look bad. */
const harmless = [
  // A row for each camera.
  /^SCAN camera_footage\b/,
  // Of what is missing and nothing else.
  /^SCAN (s|segment) USING (COVERING )?INDEX segment_missing$/,
  // Of what is due in a camera, whose roots are counted apart.
  /^USE TEMP B-TREE FOR GROUP BY$/,
  // Of rows with the very same start.
  /^USE TEMP B-TREE FOR LAST TERM OF ORDER BY$/,
];

test('nothing that is asked of the segments reads all of them, or sorts them', () => {
  const made = makeTestStore();
  const { db } = made;
  addRoot(made, 'nvr');
  addRoot(made, 'other');
  addCamera(made, 'gate');
  const asked = new Set<string>();
  const prepare = db.prepare.bind(db);
  db.prepare = (sql: string) => {
    asked.add(sql);
    return prepare(sql);
  };
  const id = insertRow(db, { path: 'gate/a.mp4' });
  const row = segments.findById(db, id);
  if (row === null) throw new Error('no row');
  const calls: Record<keyof typeof segments | keyof typeof inserts | keyof typeof shown, () => unknown> = {
    insertSegment: () => inserts.insertSegment(db, someRow({ path: 'gate/b.mp4' })),
    insertIfNew: () => inserts.insertIfNew(db, someRow({ path: 'gate/b.mp4' })),
    insertAllIfNew: () =>
      inserts.insertAllIfNew(
        db,
        Array.from({ length: 60 }, (_, at) => someRow({ path: `gate/many-${at}.mp4` })),
      ),
    updateSegment: () => {
      segments.updateSegment(db, id, row);
    },
    findByPath: () => segments.findByPath(db, 'nvr', 'gate/a.mp4'),
    findById: () => segments.findById(db, id),
    segmentsOfRoot: () => [...segments.segmentsOfRoot(db, 'nvr')],
    segmentStamps: () => segments.segmentStamps(db, 'nvr', '', 10),
    hasSegments: () => segments.hasSegments(db, 'nvr'),
    countMissing: () => segments.countMissing(db, 'nvr'),
    countIndexed: () => segments.countIndexed(db, 'nvr', 'gate', 10),
    segmentsOfFile: () => segments.segmentsOfFile(db, 'nvr', row),
    missingTwins: () => segments.missingTwins(db, row),
    anyMissing: () => segments.anyMissing(db),
    twinsSince: () => segments.twinsSince(db, row, 0),
    isReferred: () => segments.isReferred(db, id),
    moveSegment: () => segments.moveSegment(db, id, { ...row, path: 'gate/c.mp4' }),
    wallEndIn: () => shown.wallEndIn(db, { ...row, mtimeUs: row.endUs + 1 }),
    segmentsShowing: () => shown.segmentsShowing(db, ['gate'], { startUs: june, endUs: june + 1 }),
    segmentsIn: () => segments.segmentsIn(db, ['gate'], { startUs: june, endUs: june + 1 }),
    missingIn: () => segments.missingIn(db, ['gate'], { startUs: june, endUs: june + 1 }),
    segmentsBefore: () => [...segments.segmentsBefore(db, 'gate', june)],
    segmentsDue: () => segments.segmentsDue(db, 'gate', june, null, 10),
    dueTotals: () => {
      insertRow(db, { rootId: 'other', path: 'a.mp4' });
      expect(segments.dueTotals(db, 'gate', june, june)).toHaveLength(2);
    },
    newestOfRoot: () => segments.newestOfRoot(db, 'nvr', 1),
    setSegmentState: () => {
      segments.setSegmentState(db, id, 'indexed');
    },
    markMissing: () => segments.markMissing(db, id, june),
    markReturned: () => segments.markReturned(db, id),
    footageByCamera: () => segments.footageByCamera(db),
    newestPaths: () => segments.newestPaths(db, 'nvr'),
    nextFootageUs: () => segments.nextFootageUs(db, june, june + 1),
    removeSegment: () => {
      segments.removeSegment(db, id);
    },
  };
  expect(Object.keys(calls).sort()).toEqual(Object.keys({ ...segments, ...inserts, ...shown }).sort());
  for (const call of Object.values(calls)) call();
  // Also where none of the newest rows of the index is in the root.
  segments.newestOfRoot(db, 'nobody', 1);
  expect(asked.size).toBeGreaterThan(Object.keys(calls).length);

  const bad: string[] = [];
  for (const sql of asked) {
    const names = [...sql.matchAll(/@(\w+)/g)].map(([, name]) => [name, 1]);
    const parameters: unknown[] =
      names.length > 0 ? [Object.fromEntries(names)] : [...sql.matchAll(/\?/g)].map(() => 1);
    const steps = prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...parameters) as { detail: string }[];
    for (const { detail } of steps) {
      if (/^SCAN (s|f|k|segment|folder|segment_kind|camera_footage)\b|TEMP B-TREE/.test(detail)) {
        if (!harmless.some((one) => one.test(detail))) bad.push(`${detail}: ${sql}`);
      }
    }
  }
  expect(bad).toEqual([]);
  // A bound LIMIT of its own makes SQLite compile the statement for each run.
  expect([...asked].filter((sql) => /LIMIT [?@]\w*(?! \+ 0)/.test(sql))).toEqual([]);
});
