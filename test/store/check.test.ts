/** Each invariant broken by hand, and named by its number; and nothing named where nothing is broken. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkDisk } from '../../src/retention/check-disk.js';
import { applyDeletions } from '../../src/retention/delete.js';
import { checkStore } from '../../src/store/check.js';
import { registerDerived } from '../../src/store/derived-files.js';
import { insertRequest } from '../../src/store/requests.js';
import {
  addCamera,
  addHold,
  addRoot,
  addSegment,
  addUser,
  day,
  hour,
  june,
  makeTestStore,
  type TestStore,
} from '../helpers/store.js';

async function site(): Promise<TestStore & { root: string }> {
  const made = makeTestStore();
  addCamera(made, 'lobby');
  addCamera(made, 'yard');
  const root = addRoot(made, 'nvr');
  addSegment(made, { camera: 'lobby', path: 'lobby/gone.mp4', startUs: june - 40 * day });
  const id = addSegment(made, { camera: 'lobby', path: 'lobby/a.mp4', startUs: june - day });
  addSegment(made, { camera: 'lobby', path: 'lobby/b.mp4', startUs: june - day });
  addHold(made, { id: 'h1', cameras: ['lobby'], startUs: june - day, endUs: june });
  addUser(made, 'u1', ['security']);
  made.store.act('user:u1', (note) => {
    insertRequest(made.db, {
      id: 'r1',
      ground: 'police',
      legalBasis: null,
      recipient: { kind: 'police', name: 'p', contact: 'c' },
      journalNumber: 'j',
      purpose: 'p',
      cameraIds: ['lobby'],
      startUs: june - day,
      endUs: june - day + hour,
      requestedBy: 'u1',
      requestedUs: june,
    });
    const path = 'requests/r1/a.mp4';
    registerDerived(made.db, { path, kind: 'masked-copy', requestId: 'r1', segmentIds: [id], createdUs: june });
    note('request.created', 'request:r1', {});
  });
  mkdirSync(join(made.dataDir, 'requests/r1'), { recursive: true });
  writeFileSync(join(made.dataDir, 'requests/r1/a.mp4'), 'x');
  await applyDeletions(made.retention);
  return Object.assign(made, { root });
}

const all = async (made: TestStore): Promise<{ invariant: string; detail: string }[]> => [
  ...checkStore(made.db),
  ...(await checkDisk(made.db, made.retention)),
];

/** Past every CHECK, foreign key and trigger, as somebody with a database tool would; the triggers are put back. */
function edit({ db }: TestStore, sql: string): void {
  const triggers = db.prepare(`SELECT name, sql FROM sqlite_master WHERE type = 'trigger'`).all() as {
    name: string;
    sql: string;
  }[];
  db.pragma('ignore_check_constraints = ON');
  db.pragma('foreign_keys = OFF');
  for (const { name } of triggers) db.exec(`DROP TRIGGER ${name}`);
  db.exec(sql);
  for (const trigger of triggers) db.exec(trigger.sql);
  db.pragma('ignore_check_constraints = OFF');
  db.pragma('foreign_keys = ON');
}

test('nothing is wrong with a site that is all right', async () => {
  expect(await all(await site())).toEqual([]);
});

const broken: [string, string, (made: TestStore & { root: string }) => void][] = [
  [
    'I1',
    '31 days',
    (made) => {
      edit(made, `UPDATE camera SET retention_days = 31 WHERE id = 'yard'`);
    },
  ],
  [
    'I1',
    'no reason',
    (made) => {
      edit(made, `UPDATE camera SET class = 'other-purpose' WHERE id = 'yard'`);
    },
  ],
  [
    'I2',
    'one MAC in two spellings',
    (made) => {
      edit(made, `UPDATE camera SET mac = iif(id = 'yard', 'aa:bb', 'AA:BB')`);
    },
  ],
  [
    'I3',
    'out of the root',
    (made) => {
      edit(made, `UPDATE folder SET path = 'lobby/../'`);
    },
  ],
  [
    'I3',
    'absolute',
    (made) => {
      edit(made, `UPDATE folder SET path = '/etc/'`);
    },
  ],
  [
    'I3',
    'a name with a folder in it',
    (made) => {
      edit(made, `UPDATE segment SET name = 'b/a.mp4' WHERE name = 'a.mp4'`);
    },
  ],
  [
    'I3',
    'in quarantine too',
    (made) => {
      edit(made, `INSERT INTO quarantine VALUES ('nvr', 'lobby/a.mp4', 'r', 'd', 'lobby', 0, 1, '1', 0, 0)`);
    },
  ],
  [
    'I4',
    'a path in the error',
    (made) => {
      edit(made, `UPDATE deletion SET last_error = 'open lobby/a.mp4'`);
    },
  ],
  [
    'I5',
    'deleting without an intent',
    (made) => {
      edit(made, 'UPDATE segment SET deleting = 1');
    },
  ],
  [
    'I5',
    'done and still indexed',
    (made) => {
      edit(made, `UPDATE deletion SET segment_id = (SELECT max(id) FROM segment)`);
    },
  ],
  [
    'I5',
    'an id that would be given twice',
    (made) => {
      edit(made, 'UPDATE segment_sequence SET last_id = 1');
    },
  ],
  [
    'I6',
    'not on disk',
    (made) => {
      rmSync(join(made.root, 'lobby/a.mp4'));
    },
  ],
  [
    'I6',
    'another size',
    (made) => {
      writeFileSync(join(made.root, 'lobby/a.mp4'), 'other');
    },
  ],
  [
    'I6',
    'missing and there',
    (made) => {
      edit(made, `UPDATE segment SET missing_since_us = 1 WHERE name = 'a.mp4'`);
    },
  ],
  [
    'I6',
    'missing and being deleted',
    (made) => {
      edit(made, `UPDATE segment SET missing_since_us = 1, deleting = 1 WHERE name = 'a.mp4'`);
    },
  ],
  [
    'I7',
    'a file that nobody knows',
    (made) => {
      writeFileSync(join(made.dataDir, 'requests/stray.mp4'), 'x');
    },
  ],
  [
    'I7',
    'a row without its file',
    (made) => {
      rmSync(join(made.dataDir, 'requests/r1/a.mp4'));
    },
  ],
  [
    'I7',
    'without a source',
    (made) => {
      edit(made, 'DELETE FROM derived_source');
    },
  ],
  [
    'I7',
    'of a deleted segment',
    (made) => {
      edit(made, `UPDATE derived_source SET segment_id = (SELECT segment_id FROM deletion)`);
    },
  ],
  [
    'I8',
    'an edited entry',
    (made) => {
      edit(made, `UPDATE audit_event SET entry = replace(entry, 'lobby', 'yard!') WHERE seq = 1`);
    },
  ],
  [
    'I8',
    'a dropped entry',
    (made) => {
      edit(made, 'DELETE FROM audit_event WHERE seq = 2');
    },
  ],
  [
    'I9',
    'a checkpoint that is gone',
    (made) => {
      edit(made, 'DELETE FROM audit_checkpoint WHERE size = (SELECT max(size) FROM audit_checkpoint)');
    },
  ],
  [
    'I9',
    'another right edge',
    (made) => {
      edit(made, 'UPDATE audit_frontier SET peaks = zeroblob(length(peaks))');
    },
  ],
  [
    'I10',
    'about no camera',
    (made) => {
      edit(made, 'DELETE FROM hold_camera');
    },
  ],
  [
    'I10',
    'for ever',
    (made) => {
      edit(made, 'UPDATE hold SET review_us = 9e15');
    },
  ],
  [
    'I11',
    'own request',
    (made) => {
      edit(made, 'UPDATE disclosure_request SET decided_by = requested_by');
    },
  ],
  [
    'I11',
    'approved by nobody',
    (made) => {
      edit(made, `UPDATE disclosure_request SET state = 'approved'`);
    },
  ],
  [
    'I12',
    'a trigger is gone',
    ({ db }) => {
      db.exec('DROP TRIGGER audit_event_no_delete');
    },
  ],
  [
    'I12',
    'a reference to nothing',
    (made) => {
      edit(made, `DELETE FROM camera WHERE id = 'lobby'`);
    },
  ],
  [
    'I12',
    'another version',
    ({ db }) => {
      db.pragma('user_version = 1');
    },
  ],
  [
    'I13',
    'a result that the log does not have',
    (made) => {
      edit(made, `UPDATE deletion SET result = 'already-absent'`);
    },
  ],
  [
    'I13',
    'a record that the log does not have',
    (made) => {
      edit(
        made,
        `INSERT INTO deletion SELECT 99, 999, camera_id, start_us, end_us, size_bytes, inode, rule_id, due_us, intended_us, state, done_us, result, 0, NULL FROM deletion`,
      );
    },
  ],
  [
    'I14',
    'another folder',
    ({ root, dir }) => {
      renameSync(root, join(dir, 'aside'));
      mkdirSync(root);
    },
  ],
  [
    'I15',
    'a folder that nothing lies in',
    (made) => {
      edit(made, `INSERT INTO folder (root_id, path) VALUES ('nvr', 'left/')`);
    },
  ],
  [
    'I15',
    'a camera that is not counted',
    (made) => {
      edit(made, `DELETE FROM camera_footage WHERE camera_id = 'yard'`);
    },
  ],
];

test.each(broken)('%s: %s', async (invariant, _name, breakIt) => {
  const made = await site();
  breakIt(made);
  const problems = await all(made);
  expect(problems.map((problem) => problem.invariant)).toContain(invariant);
  for (const problem of problems) expect(problem.detail.length).toBeGreaterThan(10);
});

test('a damaged file is a problem, not a crash', async () => {
  const made = await site();
  edit(made, `UPDATE audit_event SET entry = 'not JSON at all' WHERE entry LIKE '%deletion.done%'`);
  expect(new Set(checkStore(made.db).map((problem) => problem.invariant))).toEqual(new Set(['I8', 'I9', 'I13']));
});
