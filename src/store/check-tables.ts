/** Questions on single tables, one or more for an invariant: each gives a line for every row that breaks it. */
import { sweepsRemembered } from '../domain/brake.js';

export interface RowQuestion {
  readonly invariant: string;
  readonly sql: string;
}

const maxDays = (column: string): string => `CASE ${column} WHEN 'other-purpose' THEN 365 ELSE 30 END`;

/** From I17 on: what came after the segments, their deletion and the requests. */
export const tableQuestions: readonly RowQuestion[] = [
  {
    invariant: 'I7',
    sql: `SELECT 'derived file ' || id || ' (' || kind || ') does not lie where its kind does' FROM derived_file
      WHERE path NOT GLOB CASE WHEN kind IN ('still', 'contact-sheet') THEN 'stills/*' WHEN kind IN ('package', 'archive') THEN 'packages/*' WHEN kind = 'vault-copy' THEN 'vault/*' ELSE 'requests/*' END
        OR instr('/' || path || '/', '/../') > 0`,
  },
  {
    invariant: 'I17',
    sql: `SELECT 'change ' || id || ' gives camera ' || camera_id || ' ' || to_days || ' days as class ' || to_class FROM retention_change
      WHERE to_days NOT BETWEEN 1 AND ${maxDays('to_class')}`,
  },
  {
    invariant: 'I17',
    sql: `SELECT 'camera ' || camera_id || ' has ' || count(*) || ' changes of its period that wait' FROM retention_change
      WHERE ended_us IS NULL GROUP BY camera_id HAVING count(*) > 1`,
  },
  {
    invariant: 'I17',
    sql: `SELECT 'change ' || id || ' shortens the period of camera ' || camera_id || ' before a day is over' FROM retention_change
      WHERE to_days <= from_days AND (effective_us IS NULL OR effective_us < proposed_us + 86400000000
        OR (outcome = 'applied' AND ended_us < effective_us))`,
  },
  {
    invariant: 'I17',
    sql: `SELECT 'change ' || id || ' lengthens the period of camera ' || camera_id || ' by the word of one' FROM retention_change
      WHERE to_days > from_days AND outcome = 'applied' AND ended_by = proposed_by`,
  },
  {
    invariant: 'I17',
    sql: `SELECT 'change ' || id || ' does not say how it ended, or why it is made' FROM retention_change
      WHERE (ended_us IS NULL) <> (outcome IS NULL) OR (ended_us IS NULL) <> (ended_by IS NULL) OR trim(reason) = ''`,
  },
  {
    invariant: 'I17',
    sql: `SELECT 'the configuration is said to give camera ' || camera_id || ' ' || days || ' days as class ' || class FROM configured_period
      WHERE days NOT BETWEEN 1 AND ${maxDays('class')}`,
  },
  {
    invariant: 'I18',
    sql: `SELECT 'proposal ' || id || ' was carried out by the word of ' || (SELECT count(*) FROM proposal_vote WHERE proposal_id = id)
      FROM proposal WHERE outcome = 'carried-out' AND (SELECT count(*) FROM proposal_vote WHERE proposal_id = id) < 2`,
  },
  {
    invariant: 'I18',
    sql: `SELECT 'proposal ' || id || ' does not say how it ended, or what was shown' FROM proposal
      WHERE (ended_us IS NULL) <> (outcome IS NULL) OR json_valid(shown) = 0`,
  },
  {
    invariant: 'I18',
    sql: `SELECT count(*) || ' proposals of kind ' || kind || ' wait at once' FROM proposal WHERE ended_us IS NULL
      GROUP BY kind HAVING count(*) > 1`,
  },
  {
    invariant: 'I19',
    sql: `SELECT count(*) || ' sweeps of camera ' || camera_id || ' are remembered, at most ${sweepsRemembered} are asked' FROM sweep_history
      GROUP BY camera_id HAVING count(*) > ${sweepsRemembered}`,
  },
  {
    invariant: 'I19',
    sql: `SELECT 'sweep ' || id || ' of camera ' || camera_id || ' is said to have deleted ' || segments || ' segments of ' || footage_us || ' us'
      FROM sweep_history WHERE segments <= 0 OR footage_us < 0`,
  },
  {
    invariant: 'I19',
    sql: `SELECT 'the last sweep is said to be from after everything in the log' FROM sweep_state
      WHERE last_sweep_us > (SELECT max(at_us) FROM audit_checkpoint)`,
  },
  {
    invariant: 'I20',
    sql: `SELECT 'the clocks of segment ' || segment_id || ' are kept, and the segment is not' FROM segment_clock
      WHERE NOT EXISTS (SELECT 1 FROM segment WHERE id = segment_id)`,
  },
  {
    invariant: 'I20',
    sql: `SELECT 'the name of segment ' || segment_id || ' means nothing: its earliest instant is after its latest' FROM segment_clock
      WHERE name_from_us > name_until_us`,
  },
  {
    invariant: 'I20',
    sql: `SELECT 'the key frames of segment ' || segment_id || ' are kept, and the segment is not' FROM key_frames
      WHERE NOT EXISTS (SELECT 1 FROM segment WHERE id = segment_id)`,
  },
  {
    invariant: 'I20',
    sql: `SELECT 'the key frames of segment ' || segment_id || ' are cut off' FROM key_frames
      WHERE length(offsets) > 0 AND hex(substr(offsets, -1)) >= '80'`,
  },
  {
    invariant: 'I20',
    sql: `SELECT 'kind ' || id || ' has a picture of ' || width || 'x' || height FROM segment_kind WHERE width <= 0 OR height <= 0`,
  },
  {
    invariant: 'I21',
    sql: `SELECT 'stream ' || stream_id || ' is camera ' || camera_id || ', which is a stream itself' FROM substream
      WHERE camera_id = stream_id OR camera_id IN (SELECT stream_id FROM substream)`,
  },
  {
    invariant: 'I23',
    sql: `SELECT 'item ' || position || ' of request ' || request_id || ' names its files, and the request has ended' FROM request_item
      JOIN disclosure_request ON id = request_id
      WHERE state IN ('refused', 'closed') AND source_name || original_path || plan_path || redacted_path <> ''`,
  },
  {
    invariant: 'I23',
    sql: `SELECT 'request ' || id || ' has ended and still says why it failed' FROM disclosure_request WHERE state = 'closed' AND failure IS NOT NULL`,
  },
  {
    invariant: 'I23',
    sql: `SELECT 'task ' || id || ' is done and still says what it was about' FROM task WHERE done_us IS NOT NULL AND detail <> ''`,
  },
];
