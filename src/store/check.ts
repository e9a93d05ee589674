/** Checks the invariants of SCHEMA.md that the database can answer for. Reads only; works on a database opened for reading. */
import { eventLeaf, type AuditEvent } from '../domain/audit-event.js';
import { appendLeaf, emptyFrontier, frontierRoot } from '../domain/merkle.js';
import { toGatewayError } from '../errors.js';
import { readCheckpoints, readEntries, readFrontier } from './audit-log.js';
import { tableQuestions, type RowQuestion } from './check-tables.js';
import { migrations, type Database } from './database.js';
import { missingFromSchema } from './schema-shape.js';

export interface Problem {
  /** `I1` and so on, as numbered in SCHEMA.md. */
  readonly invariant: string;
  readonly detail: string;
}

/** Each gives a line for every row that breaks the invariant. What a CHECK forbids is asked all the same: a file can be edited. */
const queries: readonly RowQuestion[] = [
  {
    invariant: 'I1',
    sql: `SELECT 'camera ' || id || ' keeps ' || retention_days || ' days as class ' || class FROM camera
      WHERE retention_days NOT BETWEEN 1 AND CASE class WHEN 'other-purpose' THEN 365 ELSE 30 END`,
  },
  {
    invariant: 'I1',
    sql: `SELECT 'camera ' || id || ' has class other-purpose without a reason' FROM camera
      WHERE class = 'other-purpose' AND length(trim(coalesce(retention_reason, ''))) < 10`,
  },
  {
    invariant: 'I2',
    sql: `SELECT 'the device with serial ' || serial || ' is ' || group_concat(id, ' and ') FROM camera
      WHERE serial IS NOT NULL GROUP BY manufacturer, serial HAVING count(*) > 1`,
  },
  {
    invariant: 'I2',
    sql: `SELECT 'the device with MAC ' || mac || ' is ' || group_concat(id, ' and ') FROM camera
      WHERE mac IS NOT NULL GROUP BY lower(mac) HAVING count(*) > 1`,
  },
  {
    invariant: 'I3',
    sql: `SELECT 'segment ' || segment.id || ' has a path that is not below its root' FROM folder
      JOIN segment ON folder_id = folder.id
      WHERE name IN ('', '.', '..') OR instr(name, '/') > 0 OR instr(name, char(0)) > 0
        OR (path <> '' AND (substr(path, -1) <> '/' OR instr('/' || path, '//') > 0 OR instr('/' || path, '/./') > 0
          OR instr('/' || path, '/../') > 0 OR instr(path, char(0)) > 0))`,
  },
  {
    invariant: 'I3',
    sql: `SELECT 'segment ' || id || ' ends before it starts' FROM segment WHERE end_us <= start_us`,
  },
  {
    invariant: 'I3',
    sql: `SELECT 'segment ' || segment.id || ' is in quarantine too' FROM quarantine
      JOIN folder ON folder.root_id = quarantine.root_id
        AND folder.path = rtrim(quarantine.path, replace(quarantine.path, '/', ''))
      JOIN segment ON folder_id = folder.id AND name = substr(quarantine.path, length(folder.path) + 1)
      WHERE deleting = 0 AND missing_since_us IS NULL`,
  },
  {
    invariant: 'I4',
    sql: `SELECT 'the table of deletions has a column "' || name || '", which might hold a path or a name'
      FROM pragma_table_xinfo('deletion') WHERE name NOT IN ('id', 'segment_id', 'camera_id', 'start_us', 'end_us', 'size_bytes',
        'inode', 'rule_id', 'due_us', 'intended_us', 'state', 'done_us', 'result', 'attempts', 'last_error')`,
  },
  {
    invariant: 'I4',
    sql: `SELECT 'deletion ' || id || ' has something else than an error code or a rule in it' FROM deletion
      WHERE last_error GLOB '*[^A-Za-z0-9-]*' OR rule_id NOT GLOB '[a-z]*/[0-9]*' OR inode GLOB '*[^0-9]*'`,
  },
  {
    invariant: 'I5',
    sql: `SELECT 'segment ' || id || ' is being deleted without an intent' FROM segment
      WHERE deleting = 1 AND NOT EXISTS (SELECT 1 FROM deletion WHERE segment_id = segment.id AND state = 'intended')`,
  },
  {
    invariant: 'I5',
    sql: `SELECT 'deletion ' || id || ' is intended, but its segment is not being deleted' FROM deletion WHERE state = 'intended'
      AND NOT EXISTS (SELECT 1 FROM segment WHERE segment.id = segment_id AND segment.deleting = 1)`,
  },
  {
    invariant: 'I5',
    sql: `SELECT 'deletion ' || id || ' is done, but its segment is still in the index' FROM deletion
      WHERE state = 'done' AND EXISTS (SELECT 1 FROM segment WHERE segment.id = segment_id)`,
  },
  {
    invariant: 'I5',
    sql: `SELECT 'the id ' || (last_id + 1) || ', which the next segment gets, was given before' FROM segment_sequence
      WHERE last_id < max(coalesce((SELECT max(id) FROM segment), 0), coalesce((SELECT max(segment_id) FROM deletion), 0))`,
  },
  {
    invariant: 'I6',
    sql: `SELECT 'segment ' || id || ' is missing, and being deleted too' FROM segment
      WHERE deleting = 1 AND missing_since_us IS NOT NULL`,
  },
  {
    invariant: 'I7',
    sql: `SELECT 'derived file ' || id || ' shows no segment' FROM derived_file
      WHERE NOT EXISTS (SELECT 1 FROM derived_source WHERE derived_id = derived_file.id)`,
  },
  {
    invariant: 'I7',
    sql: `SELECT 'derived file ' || derived_id || ' shows segment ' || derived_source.segment_id || ', which was deleted'
      FROM derived_source JOIN deletion ON deletion.segment_id = derived_source.segment_id AND deletion.state = 'done'`,
  },
  {
    invariant: 'I10',
    sql: `SELECT 'hold ' || id || ' is about no camera' FROM hold
      WHERE NOT EXISTS (SELECT 1 FROM hold_camera WHERE hold_id = hold.id)`,
  },
  {
    invariant: 'I10',
    sql: `SELECT 'hold ' || id || ' has no end within 90 days, no range or no reference' FROM hold WHERE end_us <= start_us
      OR review_us <= review_set_us OR review_us > review_set_us + 7776000000000 OR trim(reference) = ''`,
  },
  {
    invariant: 'I10',
    sql: `SELECT 'hold ' || id || ' does not say what its ground demands' FROM hold
      WHERE placed_as IN ('security', 'legal') AND coalesce(facts ->> 'ground' <> ground, 1)`,
  },
  {
    invariant: 'I10',
    sql: `SELECT 'hold ' || id || ' was approved by who placed it, or is kept beyond 14 days by one person alone' FROM hold
      WHERE placed_as = 'security' AND (approved_by = placed_by
        OR (approved_us IS NULL AND review_us > placed_us + 1209600000000))`,
  },
  {
    invariant: 'I10',
    sql: `SELECT 'hold ' || id || ' is wide without a reason' FROM hold WHERE placed_as IN ('security', 'legal')
      AND length(trim(coalesce(wide_reason, ''))) < 10 AND (end_us - start_us > 3600000000
        OR (SELECT count(DISTINCT coalesce(substream.camera_id, hold_camera.camera_id)) FROM hold_camera
          LEFT JOIN substream ON stream_id = hold_camera.camera_id WHERE hold_id = hold.id) > 3)`,
  },
  {
    invariant: 'I10',
    sql: `SELECT 'hold ' || id || ' does not say which request it belongs to, or belongs to none' FROM hold
      WHERE (ground = 'disclosure-request') <> (request_id IS NOT NULL)`,
  },
  {
    invariant: 'I11',
    sql: `SELECT 'request ' || id || ' was decided or reviewed by the one who asked' FROM disclosure_request
      WHERE decided_by = requested_by OR reviewed_by = requested_by`,
  },
  {
    invariant: 'I11',
    sql: `SELECT 'request ' || id || ' is ' || state || ' without an approval of its content' FROM disclosure_request
      WHERE state IN ('approved', 'packaged') AND (approval_hash IS NULL OR reviewed_by IS NULL OR decided_by IS NULL)`,
  },
  {
    invariant: 'I15',
    sql: `SELECT 'camera ' || id || ' is said to have ' || coalesce(f.segments, 0) || ' segments (' || coalesce(f.missing, 0)
        || ' missing, ' || coalesce(f.size_bytes, 0) || ' bytes), but has ' || coalesce(s.segments, 0) || ' ('
        || coalesce(s.missing, 0) || ', ' || coalesce(s.size_bytes, 0) || ')' FROM camera
      LEFT JOIN camera_footage f ON f.camera_id = id
      LEFT JOIN (SELECT camera_number, count(*) FILTER (WHERE missing_since_us IS NULL) AS segments,
          count(*) FILTER (WHERE missing_since_us IS NOT NULL) AS missing,
          coalesce(sum(size_bytes) FILTER (WHERE missing_since_us IS NULL), 0) AS size_bytes FROM segment GROUP BY camera_number) s
        ON s.camera_number = f.number
      WHERE f.number IS NULL OR (f.segments, f.missing, f.size_bytes)
        <> (coalesce(s.segments, 0), coalesce(s.missing, 0), coalesce(s.size_bytes, 0))`,
  },
  {
    invariant: 'I24',
    sql: `SELECT 'derived file ' || id || ' is a protected copy of which nothing is known' FROM derived_file
      WHERE kind = 'vault-copy' AND NOT EXISTS (SELECT 1 FROM vault_copy WHERE derived_id = derived_file.id)`,
  },
  {
    invariant: 'I24',
    sql: `SELECT 'the protected copy ' || derived_id || ' is not in the inventory of segment ' || vault_copy.segment_id
      FROM vault_copy LEFT JOIN derived_file ON derived_file.id = derived_id AND kind = 'vault-copy'
      WHERE derived_file.id IS NULL OR NOT EXISTS (SELECT 1 FROM derived_source
        WHERE derived_source.derived_id = vault_copy.derived_id AND derived_source.segment_id = vault_copy.segment_id)`,
  },
  {
    invariant: 'I24',
    sql: `SELECT 'the protected copy ' || derived_id || ' is being removed without a record' FROM vault_copy
      WHERE state = 'removing' AND NOT EXISTS (SELECT 1 FROM vault_removal
        WHERE vault_removal.derived_id = vault_copy.derived_id AND done_us IS NULL)`,
  },
  {
    invariant: 'I15',
    sql: `SELECT 'folder ' || id || ' has no segment, and should be gone with the last' FROM folder
      WHERE NOT EXISTS (SELECT 1 FROM segment WHERE folder_id = folder.id)`,
  },
];

/** All invariants but those of the disk, in the order of their numbers. One read transaction: what is checked is one state. */
export function checkStore(db: Database): Problem[] {
  const problems: Problem[] = [];
  const check = db.transaction(() => {
    const version = db.pragma('user_version', { simple: true }) as number;
    const known = migrations().length;
    if (version !== known) {
      // To another structure the other questions cannot be put.
      problems.push({ invariant: 'I12', detail: `the schema has version ${version}, this program knows ${known}` });
      return;
    }
    problems.push(...checkFile(db));
    for (const { invariant, sql } of [...queries, ...tableQuestions]) {
      for (const detail of db.prepare(sql).pluck().iterate()) problems.push({ invariant, detail: String(detail) });
    }
    problems.push(...checkLog(db));
  });
  try {
    check();
  } catch (error) {
    problems.push({ invariant: 'I12', detail: `the database cannot be read: ${toGatewayError(error).message}` });
  }
  const order = (problem: Problem): number => Number(problem.invariant.slice(1));
  return problems.sort((a, b) => order(a) - order(b));
}

/** I12: a whole SQLite file of the schema that this program knows. */
function checkFile(db: Database): Problem[] {
  const details: string[] = [];
  for (const line of db.pragma('quick_check(20)') as { quick_check: string }[]) {
    if (line.quick_check !== 'ok') details.push(line.quick_check);
  }
  const broken = db.pragma('foreign_key_check') as { table: string; parent: string }[];
  for (const { table, parent } of broken.slice(0, 20))
    details.push(`a row of ${table} points to a ${parent} that is not there`);
  details.push(...missingFromSchema(db));
  return details.map((detail) => ({ invariant: 'I12', detail }));
}

/** I8, I9 and I13, in one pass over the log. Signatures need the public key: `audit verify` checks those. */
function checkLog(db: Database): Problem[] {
  const problems: Problem[] = [];
  const add = (invariant: string, detail: string): void => {
    if (problems.length < 200) problems.push({ invariant, detail });
  };
  const recorded = new Map<number, string>();
  let frontier = emptyFrontier;
  for (const { seq, entry, leafHash } of readEntries(db)) {
    if (seq !== frontier.size) add('I8', `entry ${frontier.size} is missing: the next one in the log is ${seq}`);
    const leaf = eventLeaf(entry);
    if (!leaf.equals(leafHash)) add('I8', `entry ${seq} was edited`);
    frontier = appendLeaf(frontier, leaf);
    if (entry.includes('"deletion.')) rememberDeletions(entry, recorded);
  }
  const stored = readFrontier(db);
  if (stored.size !== frontier.size || !frontierRoot(stored).equals(frontierRoot(frontier))) {
    add('I9', `the right edge of the tree is not that of the ${frontier.size} entries`);
  }
  const newest = readCheckpoints(db).at(-1);
  if ((newest?.size ?? 0) !== frontier.size) {
    add('I9', `the newest checkpoint covers ${newest?.size ?? 0} of ${frontier.size} entries`);
  }
  const rows = db.prepare('SELECT id, state, result FROM deletion').all() as {
    id: number;
    state: string;
    result: string;
  }[];
  for (const { id, state, result } of rows) {
    const said = recorded.get(id);
    const is = state === 'intended' ? 'intended' : result;
    if (said !== is)
      add('I13', `deletion ${id} is "${is}" in the index and ${said === undefined ? 'not' : `"${said}"`} in the log`);
  }
  return problems;
}

/** The last word of the log on each deletion it names. */
function rememberDeletions(entry: string, recorded: Map<number, string>): void {
  try {
    const { type, data } = JSON.parse(entry) as AuditEvent;
    if (!type.startsWith('deletion.') || type === 'deletion.failed') return;
    for (const one of data['records'] as unknown as { deletion: number; result?: string }[]) {
      recorded.set(one.deletion, one.result ?? 'intended');
    }
  } catch {
    // An edited entry is named by I8; the deletions it spoke of are named by I13 then.
  }
}
