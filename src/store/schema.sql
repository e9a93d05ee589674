-- The index of a tredive gateway. SCHEMA.md beside this file has the numbered invariants (I1, I2, ...) that the comments
-- name, and the ordered steps of create, delete and recover. Instants are INTEGER microseconds UTC (column names end in
-- _us), ranges are half-open, sizes are bytes. Every table is STRICT: a value of the wrong type is an error, not a guess.

-- One folder that a VMS writes to.
CREATE TABLE root (
  id TEXT PRIMARY KEY,                       -- from the configuration; never reused for another folder
  path TEXT NOT NULL,                        -- absolute path when last configured
  identity TEXT NOT NULL,                    -- "inode" of the root folder when first seen: another one is not this root
  first_seen_us INTEGER NOT NULL,            -- when the gateway first saw it
  last_scan_us INTEGER                       -- end of the last complete scan; null before the first
) STRICT;

-- The register of cameras. A camera is never deleted: footage and records point to it.
CREATE TABLE camera (
  id TEXT PRIMARY KEY,                       -- stable name, from the configuration or the layout
  label TEXT NOT NULL,                       -- what people call it
  class TEXT NOT NULL CHECK (class IN ('crime-prevention', 'municipal', 'permit', 'live-only', 'other-purpose')),
  retention_days INTEGER NOT NULL,           -- days of 24 h; see the CHECK below (I1)
  retention_reason TEXT,                     -- why this period; required for other-purpose
  purpose TEXT NOT NULL,                     -- why the camera exists
  audio_allowed INTEGER NOT NULL DEFAULT 0 CHECK (audio_allowed IN (0, 1)),  -- 1: sound may be handed over
  origin TEXT NOT NULL CHECK (origin IN ('config', 'found-recording', 'discovery')),  -- how it came to be registered
  adopted INTEGER NOT NULL CHECK (adopted IN (0, 1)),  -- 0: registered by itself, a task waits for an administrator
  manufacturer TEXT,                         -- as the device says
  model TEXT,                                -- as the device says
  firmware TEXT,                             -- as the device says
  serial TEXT,                               -- serial number; with manufacturer the first identity of a device (I2)
  mac TEXT,                                  -- lower-case colon form; the second identity
  urn TEXT,                                  -- WS-Discovery endpoint; the third identity
  address TEXT,                              -- host:port where it answered last; never an identity
  clock_offset_ms INTEGER,                   -- camera clock minus gateway clock when last measured
  clock_uncertainty_ms INTEGER,              -- half the round trip of that measurement
  clock_measured_us INTEGER,                 -- when that was
  created_us INTEGER NOT NULL,               -- when registered
  CHECK (retention_days BETWEEN 1 AND CASE class WHEN 'other-purpose' THEN 365 ELSE 30 END),
  CHECK (class <> 'other-purpose' OR length(trim(coalesce(retention_reason, ''))) >= 10)
) STRICT;
CREATE UNIQUE INDEX camera_by_serial ON camera (manufacturer, serial) WHERE serial IS NOT NULL;
CREATE UNIQUE INDEX camera_by_mac ON camera (mac) WHERE mac IS NOT NULL;

-- One recorded file.
CREATE TABLE segment (
  id INTEGER PRIMARY KEY AUTOINCREMENT,      -- never reused, so that a deletion record names one file for ever
  root_id TEXT NOT NULL REFERENCES root (id),
  path TEXT NOT NULL,                        -- relative to the root, as the VMS named it
  camera_id TEXT NOT NULL REFERENCES camera (id),
  start_us INTEGER NOT NULL,                 -- capture time of the oldest frame: every limit counts from here
  end_us INTEGER NOT NULL,                   -- start plus media duration
  time_source TEXT NOT NULL,                 -- which clock won: name-utc, name-local, container, ...
  time_quality TEXT NOT NULL CHECK (time_quality IN ('agreed', 'single', 'disagreeing')),
  time_disagreement_ms INTEGER,              -- how far the other clocks are from the one that won
  size_bytes INTEGER NOT NULL CHECK (size_bytes > 0),  -- when indexed; deletion refuses another size
  inode TEXT NOT NULL,                       -- when indexed, decimal; deletion refuses another inode
  mtime_us INTEGER NOT NULL,                 -- when indexed: tells a rescan that nothing changed; never an age
  container TEXT NOT NULL,                   -- by content, not by extension: mp4, matroska, mpegts, avi, ...
  codec TEXT NOT NULL,                       -- of the video track
  width INTEGER NOT NULL,                    -- pixels
  height INTEGER NOT NULL,                   -- pixels
  frame_rate REAL,                           -- average frames per second, where known
  has_audio INTEGER NOT NULL CHECK (has_audio IN (0, 1)),
  truncated INTEGER NOT NULL CHECK (truncated IN (0, 1)),  -- 1: cut short; what is playable is what is indexed
  state TEXT NOT NULL CHECK (state IN ('indexed', 'deleting', 'missing')),
  first_seen_us INTEGER NOT NULL,            -- when indexed
  missing_since_us INTEGER,                  -- when it was found gone without us; null unless missing (I6)
  UNIQUE (root_id, path),
  CHECK (end_us > start_us),
  CHECK ((state = 'missing') = (missing_since_us IS NOT NULL))
) STRICT;
CREATE INDEX segment_by_time ON segment (camera_id, start_us, end_us);

-- A file in a root that is not, or not yet, a segment. Never touched by the gateway.
CREATE TABLE quarantine (
  root_id TEXT NOT NULL REFERENCES root (id),
  path TEXT NOT NULL,                        -- relative to the root
  reason TEXT NOT NULL,                      -- closed set, see recordings/
  detail TEXT NOT NULL,                      -- for a person
  camera_id TEXT REFERENCES camera (id),     -- where the name tells
  bound_us INTEGER NOT NULL,                 -- the latest instant its content can be from: the name's, else when first seen
  size_bytes INTEGER NOT NULL,
  inode TEXT NOT NULL,
  mtime_us INTEGER NOT NULL,
  first_seen_us INTEGER NOT NULL,
  PRIMARY KEY (root_id, path)
) STRICT, WITHOUT ROWID;

-- What the gateway made from segments: copies, plans, masked copies, packages. It goes with them (I7).
CREATE TABLE derived_file (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  path TEXT NOT NULL UNIQUE,                 -- relative to the data folder
  kind TEXT NOT NULL CHECK (kind IN ('original-copy', 'plan', 'masked-copy', 'package', 'archive')),
  request_id TEXT NOT NULL REFERENCES disclosure_request (id),
  created_us INTEGER NOT NULL
) STRICT;
CREATE INDEX derived_file_by_request ON derived_file (request_id);

-- Which segments a derived file shows. No foreign key to segment: the row outlives it only until the file is removed too.
CREATE TABLE derived_source (
  derived_id INTEGER NOT NULL REFERENCES derived_file (id) ON DELETE CASCADE,
  segment_id INTEGER NOT NULL,
  PRIMARY KEY (derived_id, segment_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX derived_source_by_segment ON derived_source (segment_id);

-- A deletion, first as an intent and then as its own proof. Holds no path, picture or name (I4).
CREATE TABLE deletion (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  segment_id INTEGER NOT NULL,               -- id the segment had; the row itself is gone once this is done
  camera_id TEXT NOT NULL,                   -- whose footage it was
  start_us INTEGER NOT NULL,
  end_us INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL,
  inode TEXT NOT NULL,
  rule_id TEXT NOT NULL,                     -- which rule said so, with its version
  due_us INTEGER NOT NULL,                   -- when it fell due
  intended_us INTEGER NOT NULL,              -- when the intent was committed
  state TEXT NOT NULL CHECK (state IN ('intended', 'done', 'refused')),
  done_us INTEGER,                           -- when the file was known to be gone and its folder synced; null until then
  result TEXT CHECK (result IN ('unlinked', 'already-absent', 'not-the-indexed-file')),
  attempts INTEGER NOT NULL DEFAULT 0,       -- failed tries so far
  last_error TEXT,                           -- code of the last failure, null once done
  CHECK ((state = 'intended') = (done_us IS NULL)),
  CHECK ((state = 'intended') = (result IS NULL))
) STRICT;
CREATE UNIQUE INDEX deletion_open ON deletion (segment_id) WHERE state = 'intended';
CREATE INDEX deletion_by_camera ON deletion (camera_id, start_us);

-- Longer storage on a typed ground.
CREATE TABLE hold (
  id TEXT PRIMARY KEY,
  ground TEXT NOT NULL CHECK (ground IN
    ('disclosure-request', 'reported-offence', 'dispute', 'access-request', 'complaint', 'legal-duty')),
  reference TEXT NOT NULL CHECK (length(trim(reference)) > 0),  -- journal or case number, or the provision
  reason TEXT NOT NULL,
  request_id TEXT REFERENCES disclosure_request (id),  -- set exactly for ground disclosure-request
  start_us INTEGER NOT NULL,
  end_us INTEGER NOT NULL,
  placed_by TEXT NOT NULL,                   -- actor
  placed_us INTEGER NOT NULL,
  review_us INTEGER NOT NULL,                -- ends here unless prolonged: at most 90 days after it was placed
  lifted_us INTEGER,
  lifted_by TEXT,
  CHECK (end_us > start_us),
  CHECK (review_us > placed_us AND review_us <= placed_us + 7776000000000),
  CHECK ((ground = 'disclosure-request') = (request_id IS NOT NULL)),
  CHECK ((lifted_us IS NULL) = (lifted_by IS NULL))
) STRICT;
CREATE TABLE hold_camera (
  hold_id TEXT NOT NULL REFERENCES hold (id) ON DELETE CASCADE,
  camera_id TEXT NOT NULL REFERENCES camera (id),
  PRIMARY KEY (hold_id, camera_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX hold_camera_by_camera ON hold_camera (camera_id);

-- One disclosure. Free text lives here, never in the audit log.
CREATE TABLE disclosure_request (
  id TEXT PRIMARY KEY,
  state TEXT NOT NULL CHECK (state IN ('requested', 'preparing', 'prepared', 'preparation-failed', 'reviewed',
    'approved', 'refused', 'packaged', 'closed')),
  ground TEXT NOT NULL CHECK (ground IN ('police', 'consent', 'law')),
  legal_basis TEXT,
  recipient_kind TEXT NOT NULL CHECK (recipient_kind IN ('police', 'authority', 'person')),
  recipient_name TEXT NOT NULL,
  recipient_contact TEXT NOT NULL,
  journal_number TEXT NOT NULL,
  purpose TEXT NOT NULL,
  start_us INTEGER NOT NULL,
  end_us INTEGER NOT NULL,
  requested_by TEXT NOT NULL REFERENCES user (id),
  requested_us INTEGER NOT NULL,
  failure TEXT,                              -- why preparing failed, for a person
  worker_lease_us INTEGER,                   -- until when a running preparation is believed alive
  reviewed_by TEXT REFERENCES user (id),
  reviewed_us INTEGER,
  review_hash TEXT,                          -- hash of what was looked at
  decided_by TEXT REFERENCES user (id),
  decided_us INTEGER,
  decision_reason TEXT,
  audio_reason TEXT,                         -- why sound goes along
  redacted_only_reason TEXT,                 -- why the originals stay behind
  approval_hash TEXT,                        -- scopeHash of what was approved; void as soon as it differs
  package_expires_us INTEGER,                -- when the gateway's copy goes
  closed_us INTEGER,
  CHECK (end_us > start_us),
  CHECK (decided_by IS NULL OR decided_by <> requested_by),
  CHECK (reviewed_by IS NULL OR reviewed_by <> requested_by),
  CHECK ((state IN ('approved', 'packaged')) <= (approval_hash IS NOT NULL AND reviewed_by IS NOT NULL))
) STRICT;
CREATE TABLE request_camera (
  request_id TEXT NOT NULL REFERENCES disclosure_request (id) ON DELETE CASCADE,
  camera_id TEXT NOT NULL REFERENCES camera (id),
  PRIMARY KEY (request_id, camera_id)
) STRICT, WITHOUT ROWID;

-- One original of a request, with what was prepared from it.
CREATE TABLE request_item (
  request_id TEXT NOT NULL REFERENCES disclosure_request (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,                 -- order by camera and start, from 0
  segment_id INTEGER NOT NULL,               -- the segment it was copied from
  camera_id TEXT NOT NULL REFERENCES camera (id),
  start_us INTEGER NOT NULL,
  end_us INTEGER NOT NULL,
  source_name TEXT NOT NULL,                 -- file name the VMS gave it
  size_bytes INTEGER NOT NULL,
  container TEXT NOT NULL,
  codec TEXT NOT NULL,
  has_audio INTEGER NOT NULL CHECK (has_audio IN (0, 1)),
  sha256 TEXT NOT NULL,                      -- of the original, read back from the copy
  original_path TEXT NOT NULL,               -- copy, relative to the data folder
  plan_path TEXT NOT NULL,                   -- tracks and timeline, relative to the data folder
  plan_sha256 TEXT NOT NULL,
  redacted_path TEXT NOT NULL,               -- masked copy, relative to the data folder
  redacted_sha256 TEXT NOT NULL,
  decisions TEXT NOT NULL,                   -- JSON of MaskDecisions
  summary TEXT NOT NULL,                     -- JSON: frames, tracks, uncertain spans, detector
  PRIMARY KEY (request_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE user (
  id TEXT PRIMARY KEY,                       -- pseudonym: this stands in the audit log
  name TEXT NOT NULL UNIQUE,
  roles TEXT NOT NULL,                       -- JSON array of roles
  password_hash TEXT NOT NULL,               -- argon2id
  created_us INTEGER NOT NULL,
  disabled_us INTEGER
) STRICT;

CREATE TABLE session (
  id_hash TEXT PRIMARY KEY,                  -- SHA-256 of the session id: a stolen database opens no session
  user_id TEXT REFERENCES user (id),         -- null before login
  data TEXT NOT NULL,                        -- JSON of the session
  expires_us INTEGER NOT NULL
) STRICT;

-- Something a person has to do. One open task per kind and subject.
CREATE TABLE task (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail TEXT NOT NULL,
  created_us INTEGER NOT NULL,
  done_us INTEGER
) STRICT;
CREATE UNIQUE INDEX task_open ON task (kind, subject) WHERE done_us IS NULL;

-- The audit log: append-only (I8). `entry` is the exact text that is hashed.
CREATE TABLE audit_event (
  seq INTEGER PRIMARY KEY,                   -- from 0 without holes
  entry TEXT NOT NULL,                       -- canonical JSON (RFC 8785) of the event
  leaf_hash BLOB NOT NULL CHECK (length(leaf_hash) = 32),  -- RFC 6962 leaf hash of entry
  subject TEXT NOT NULL                      -- copy of the entry's subject, to find the events of one thing
) STRICT;
CREATE INDEX audit_event_by_subject ON audit_event (subject);
CREATE TRIGGER audit_event_no_update BEFORE UPDATE ON audit_event
  BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_event_no_delete BEFORE DELETE ON audit_event
  BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

-- Signed statements on the log, one for each transaction that wrote to it (I9).
CREATE TABLE audit_checkpoint (
  size INTEGER PRIMARY KEY,                  -- entries covered
  note TEXT NOT NULL,                        -- C2SP checkpoint with signature
  at_us INTEGER NOT NULL
) STRICT;
CREATE TRIGGER audit_checkpoint_no_update BEFORE UPDATE ON audit_checkpoint
  BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END;
CREATE TRIGGER audit_checkpoint_no_delete BEFORE DELETE ON audit_checkpoint
  BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END;

-- Right edge of the Merkle tree, so that appending needs no reading.
CREATE TABLE audit_frontier (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  size INTEGER NOT NULL,
  peaks BLOB NOT NULL
) STRICT;

-- What retention remembers between sweeps, one row.
CREATE TABLE sweep_state (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  last_sweep_us INTEGER                      -- wall clock of the last sweep: an earlier clock is not believed
) STRICT;
