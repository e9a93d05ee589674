/** Each invariant broken by hand, and named by its number; and nothing named where nothing is broken. */
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkDisk } from '../../src/retention/check-disk.js';
import { silentLog } from '../../src/platform/log.js';
import { applyDeletions } from '../../src/retention/delete.js';
import { makeJournalKeeper } from '../../src/retention/journal.js';
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
  made.store.onCheckpoint(makeJournalKeeper(made.db, { dataDir: made.dataDir, copies: [] }, silentLog));
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
  [
    'I7',
    'a picture of another size than was written',
    (made) => {
      edit(
        made,
        `INSERT INTO derived_file (path, kind, created_us, size_bytes) VALUES ('stills/${'0'.repeat(40)}.jpg', 'still', 0, 1)`,
      );
      mkdirSync(join(made.dataDir, 'stills'));
      writeFileSync(join(made.dataDir, 'stills', `${'0'.repeat(40)}.jpg`), 'other');
    },
  ],
  [
    'I7',
    'a picture among the packages',
    (made) => {
      edit(made, `INSERT INTO derived_file (path, kind, created_us) VALUES ('packages/a.jpg', 'still', 0)`);
    },
  ],
  [
    'I16',
    'nobody knows a file in the data folder',
    (made) => {
      writeFileSync(join(made.dataDir, 'notes.txt'), 'x');
    },
  ],
  [
    'I16',
    'a crash left a temporary file',
    (made) => {
      writeFileSync(join(made.dataDir, 'checkpoint.txt.partial'), 'x');
    },
  ],
  [
    'I16',
    'a copy of the database',
    (made) => {
      copyFileSync(join(made.dataDir, 'tredive.db'), join(made.dataDir, 'tredive.db.old'));
    },
  ],
  [
    'I17',
    '31 days to come',
    (made) => {
      edit(
        made,
        `INSERT INTO retention_change VALUES ('c1', 'yard', 'crime-prevention', 30, NULL, 'municipal', 31, NULL, 'r', 'user:a', 0, NULL, NULL, NULL, NULL)`,
      );
    },
  ],
  [
    'I17',
    'two that wait',
    (made) => {
      edit(
        made,
        `DROP INDEX retention_change_open; INSERT INTO retention_change VALUES ('c1', 'yard', 'crime-prevention', 30, NULL, 'municipal', 20, NULL, 'r', 'user:a', 0, 86400000000, NULL, NULL, NULL); INSERT INTO retention_change VALUES ('c2', 'yard', 'crime-prevention', 30, NULL, 'municipal', 10, NULL, 'r', 'user:a', 0, 86400000000, NULL, NULL, NULL)`,
      );
    },
  ],
  [
    'I17',
    'shorter at once',
    (made) => {
      edit(
        made,
        `INSERT INTO retention_change VALUES ('c1', 'yard', 'crime-prevention', 30, NULL, 'municipal', 20, NULL, 'r', 'user:a', 0, 1, NULL, NULL, NULL)`,
      );
    },
  ],
  [
    'I17',
    'shorter, and applied too early',
    (made) => {
      edit(
        made,
        `INSERT INTO retention_change VALUES ('c1', 'yard', 'crime-prevention', 30, NULL, 'municipal', 20, NULL, 'r', 'user:a', 0, 86400000000, 5, 'gateway', 'applied')`,
      );
    },
  ],
  [
    'I17',
    'longer by one',
    (made) => {
      edit(
        made,
        `INSERT INTO retention_change VALUES ('c1', 'yard', 'crime-prevention', 20, NULL, 'municipal', 30, NULL, 'r', 'user:a', 0, NULL, 5, 'user:a', 'applied')`,
      );
    },
  ],
  [
    'I17',
    'without a reason',
    (made) => {
      edit(
        made,
        `INSERT INTO retention_change VALUES ('c1', 'yard', 'crime-prevention', 30, NULL, 'municipal', 20, NULL, ' ', 'user:a', 0, 86400000000, NULL, NULL, NULL)`,
      );
    },
  ],
  [
    'I17',
    'ended without an outcome',
    (made) => {
      edit(
        made,
        `INSERT INTO retention_change VALUES ('c1', 'yard', 'crime-prevention', 30, NULL, 'municipal', 20, NULL, 'r', 'user:a', 0, 86400000000, 5, 'user:a', NULL)`,
      );
    },
  ],
  [
    'I17',
    'a configured period above the limit',
    (made) => {
      edit(made, `INSERT INTO configured_period VALUES ('yard', 'permit', 31)`);
    },
  ],
  [
    'I18',
    'carried out by one',
    (made) => {
      edit(
        made,
        `INSERT INTO proposal VALUES ('p', 'mass-deletion', 0, '{}', 1, 'carried-out'); INSERT INTO proposal_vote VALUES ('p', 'u1', 1)`,
      );
    },
  ],
  [
    'I18',
    'nothing was shown',
    (made) => {
      edit(made, `INSERT INTO proposal VALUES ('p', 'mass-deletion', 0, 'no JSON', NULL, NULL)`);
    },
  ],
  [
    'I18',
    'two wait at once',
    (made) => {
      edit(
        made,
        `DROP INDEX proposal_open; INSERT INTO proposal VALUES ('p', 'mass-deletion', 0, '{}', NULL, NULL), ('q', 'mass-deletion', 0, '{}', NULL, NULL)`,
      );
    },
  ],
  [
    'I19',
    'more sweeps than are asked',
    (made) => {
      edit(
        made,
        `INSERT INTO sweep_history (camera_id, swept_us, segments, footage_us) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 21) SELECT 'yard', i, 1, 1 FROM n`,
      );
    },
  ],
  [
    'I19',
    'a sweep of nothing',
    (made) => {
      edit(made, `INSERT INTO sweep_history (camera_id, swept_us, segments, footage_us) VALUES ('yard', 1, 0, 0)`);
    },
  ],
  [
    'I19',
    'a sweep of tomorrow',
    (made) => {
      edit(made, `UPDATE sweep_state SET last_sweep_us = 9e15`);
    },
  ],
  [
    'I20',
    'clocks of no segment',
    (made) => {
      edit(made, `INSERT INTO segment_clock VALUES (999, 0, 0, NULL, NULL, 0)`);
    },
  ],
  [
    'I20',
    'a name that means nothing',
    (made) => {
      edit(made, `INSERT INTO segment_clock SELECT max(id), 2, 1, NULL, NULL, 0 FROM segment`);
    },
  ],
  [
    'I20',
    'key frames of no segment',
    (made) => {
      edit(made, `INSERT INTO key_frames VALUES (999, 1, 1, 1, x'00')`);
    },
  ],
  [
    'I20',
    'key frames that are cut off',
    (made) => {
      edit(made, `INSERT INTO key_frames SELECT max(id), 1, 1, 1, x'0080' FROM segment`);
    },
  ],
  [
    'I20',
    'no picture',
    (made) => {
      edit(made, `UPDATE segment_kind SET width = 0`);
    },
  ],
  [
    'I21',
    'a stream of a stream',
    (made) => {
      edit(made, `INSERT INTO substream VALUES ('lobby', 'yard'), ('yard', 'lobby')`);
    },
  ],
  [
    'I22',
    'a journal that is edited',
    (made) => {
      const file = join(made.dataDir, 'journal/000000000000.jsonl');
      const change = (text: string): string => text.replace('"sizeBytes":', '"sizeBytes":1');
      writeFileSync(file, change(readFileSync(file, 'utf8')));
    },
  ],
  [
    'I22',
    'a journal of another log',
    (made) => {
      const file = join(made.dataDir, 'journal/000000000000.jsonl');
      const change = (text: string): string => text.replace(/"leaf":"..../g, '"leaf":"0000');
      writeFileSync(file, change(readFileSync(file, 'utf8')));
    },
  ],
  [
    'I22',
    'a journal that knows more',
    (made) => {
      edit(made, `UPDATE audit_frontier SET size = 2`);
    },
  ],
  [
    'I22',
    'a journal that is behind',
    (made) => {
      const file = join(made.dataDir, 'journal/000000000000.jsonl');
      const change = (text: string): string => text.slice(0, text.indexOf('\n') + 1);
      writeFileSync(file, change(readFileSync(file, 'utf8')));
    },
  ],
  [
    'I23',
    'a file of a request that ended',
    (made) => {
      edit(
        made,
        `UPDATE disclosure_request SET state = 'closed'; INSERT INTO request_item SELECT 'r1', 0, 1, 'lobby', 0, 1, 'a.mp4', 1, 'mp4', 'avc', 0, 'h', '', '', 'h', '', 'h', '{}', '{}'`,
      );
    },
  ],
  [
    'I23',
    'why a closed request failed',
    (made) => {
      edit(made, `UPDATE disclosure_request SET state = 'closed', failure = 'lobby/a.mp4 is away'`);
    },
  ],
  [
    'I23',
    'words of a task that is done',
    (made) => {
      edit(
        made,
        `INSERT INTO task (kind, subject, detail, created_us, done_us) VALUES ('k', 's', 'see lobby/a.mp4', 0, 1)`,
      );
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
