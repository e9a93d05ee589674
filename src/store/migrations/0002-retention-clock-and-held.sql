-- Retention learns three things: an intent may be withdrawn for a hold that came while the deletion failed; what the machine's
-- uptime was at the last sweep, so that a clock set forward is noticed; and the highest clock of the log without reading it all.

-- A CHECK can only be changed by building the table anew. Its number sequence goes along: an id is never used twice.
CREATE TABLE deletion_new (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  segment_id INTEGER NOT NULL,
  camera_id TEXT NOT NULL,
  start_us INTEGER NOT NULL,
  end_us INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL,
  inode TEXT NOT NULL,
  rule_id TEXT NOT NULL,
  due_us INTEGER NOT NULL,
  intended_us INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('intended', 'done', 'refused')),
  done_us INTEGER,
  result TEXT CHECK (result IN ('unlinked', 'already-absent', 'not-the-indexed-file', 'held')),
  attempts INTEGER NOT NULL DEFAULT 0,
  last_error TEXT,
  CHECK ((state = 'intended') = (done_us IS NULL)),
  CHECK ((state = 'intended') = (result IS NULL))
) STRICT;
INSERT INTO deletion_new SELECT * FROM deletion;
DELETE FROM sqlite_sequence WHERE name = 'deletion_new';
INSERT INTO sqlite_sequence (name, seq) SELECT 'deletion_new', seq FROM sqlite_sequence WHERE name = 'deletion';
DROP TABLE deletion;
ALTER TABLE deletion_new RENAME TO deletion;
CREATE UNIQUE INDEX deletion_open ON deletion (segment_id) WHERE state = 'intended';
CREATE INDEX deletion_by_camera ON deletion (camera_id, start_us);

ALTER TABLE sweep_state ADD COLUMN boot_id TEXT;
ALTER TABLE sweep_state ADD COLUMN uptime_us INTEGER;
ALTER TABLE sweep_state ADD COLUMN accepted_size INTEGER;

CREATE INDEX audit_checkpoint_by_time ON audit_checkpoint (at_us, size);

-- REPLACE deletes without asking the triggers on DELETE: an entry or checkpoint can only be added behind the last one.
CREATE TRIGGER audit_event_append BEFORE INSERT ON audit_event
  WHEN NEW.seq <> (SELECT coalesce(max(seq), -1) + 1 FROM audit_event)
  BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_checkpoint_append BEFORE INSERT ON audit_checkpoint
  WHEN NEW.size <= (SELECT coalesce(max(size), -1) FROM audit_checkpoint)
  BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END;
