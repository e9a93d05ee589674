-- The index of a tredive gateway. SCHEMA.md beside this file has the numbered invariants (I1, I2, ...) that the comments
-- name, and the ordered steps of create, delete and recover. Instants are INTEGER microseconds UTC (column names end in
-- _us), ranges are half-open, sizes are bytes. Every table is STRICT: a value of the wrong type is an error, not a guess.

-- One folder that a VMS writes to.
CREATE TABLE root (
  id TEXT PRIMARY KEY,                       -- from the configuration; never reused for another folder
  path TEXT NOT NULL,                        -- absolute path when last configured
  identity TEXT NOT NULL,                    -- "inode" of the root folder when first seen: another one is not this root
  first_seen_us INTEGER NOT NULL,            -- when the gateway first saw it
  last_scan_us INTEGER,                      -- end of the last complete scan; null before the first
  marker TEXT,                               -- what its marker file says; null where none could be written
  filesystem TEXT,                           -- type and id of the file system it lies on; null until it was looked at
  read_only INTEGER CHECK (read_only IN (0, 1))  -- 1: mounted read-only when last trusted; null until it was looked at
) STRICT;

-- The register of cameras. A camera is never deleted: footage and records point to it.
CREATE TABLE camera (
  id TEXT PRIMARY KEY,                       -- stable name, from the configuration or the layout
  label TEXT NOT NULL,                       -- what people call it
  class TEXT NOT NULL CHECK (class IN ('crime-prevention', 'municipal', 'permit', 'live-only', 'other-purpose')),  -- decides the longest storage, the grounds and the recipients
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
  area TEXT NOT NULL DEFAULT 'unspecified' CHECK (area IN  -- what sort of place it watches
    ('unspecified', 'indoors', 'indoors-public', 'entrance', 'own-grounds', 'public-ground')),
  signs TEXT,                                -- where the signs hang that tell of it; null until somebody says so
  polcam TEXT NOT NULL DEFAULT 'unknown' CHECK (polcam IN ('unknown', 'registered', 'not-required')),  -- how it stands with the police's register of cameras
  audio_basis TEXT CHECK (audio_allowed = 0 OR length(trim(coalesce(audio_basis, ''))) >= 10),  -- the written legal basis for its sound; null without one
  audio_approved_by TEXT CHECK ((audio_allowed = 1) = (audio_approved_by IS NOT NULL)),  -- actor of role legal who approved that basis
  CHECK (retention_days BETWEEN 1 AND CASE class WHEN 'other-purpose' THEN 365 ELSE 30 END),
  CHECK (class <> 'other-purpose' OR length(trim(coalesce(retention_reason, ''))) >= 10)
) STRICT;
CREATE UNIQUE INDEX camera_by_serial ON camera (manufacturer, serial) WHERE serial IS NOT NULL;
CREATE UNIQUE INDEX camera_by_mac ON camera (mac) WHERE mac IS NOT NULL;

-- What clocks were when they were looked at: which footage they stamped may be a year old when it is asked for. 400 days are kept.
CREATE TABLE clock_measurement (
  camera_id TEXT NOT NULL REFERENCES camera (id),  -- whose clock, or whose footage the recorder stamped
  measured_us INTEGER NOT NULL,              -- when, by the gateway's clock
  clock TEXT NOT NULL CHECK (clock IN ('camera', 'recorder')),  -- camera: as the device answered; recorder: as its newest files are stamped
  offset_ms INTEGER NOT NULL,                -- that clock minus the gateway's
  uncertainty_ms INTEGER NOT NULL CHECK (uncertainty_ms >= 0),  -- the true offset is within this of it
  PRIMARY KEY (camera_id, clock, measured_us)
) STRICT, WITHOUT ROWID;

-- By which clock segments were received. A row where the wall clock was moved against the machine's uptime, or the machine was
-- started: it goes for every segment of a higher id up to the next row, so that each has its receive time by both clocks.
CREATE TABLE receive_clock (
  after_id INTEGER PRIMARY KEY,              -- the highest id that was given before
  boot_id TEXT,                              -- which run of the machine; null where the system does not tell
  wall_us INTEGER NOT NULL,                  -- wall clock then
  uptime_us INTEGER,                         -- time since that boot then
  CHECK ((boot_id IS NULL) = (uptime_us IS NULL))
) STRICT;

-- A stream that a recorder keeps as a camera of its own, and that the configuration says is another camera once more.
CREATE TABLE substream (
  stream_id TEXT PRIMARY KEY REFERENCES camera (id),  -- the stream, as the layout names it
  camera_id TEXT NOT NULL REFERENCES camera (id),  -- the camera that it is
  CHECK (stream_id <> camera_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX substream_by_camera ON substream (camera_id);

-- How much of each camera is on disk, kept by triggers: counting millions of rows for each look at the list takes seconds. Every
-- camera has its row from the moment it is registered.
CREATE TABLE camera_footage (
  number INTEGER PRIMARY KEY,                -- by which its segments name the camera: a byte instead of its id in each of millions of rows
  camera_id TEXT NOT NULL UNIQUE REFERENCES camera (id),  -- whose footage it is
  segments INTEGER NOT NULL,                 -- rows that are not missing
  missing INTEGER NOT NULL,                  -- rows that are
  size_bytes INTEGER NOT NULL                -- of those that are not missing, together
) STRICT;
CREATE TRIGGER camera_footage_begin AFTER INSERT ON camera BEGIN
  INSERT INTO camera_footage (camera_id, segments, missing, size_bytes) VALUES (NEW.id, 0, 0, 0);
END;

-- A folder with segments in it. Its name is part of their paths, so it goes with the last of them (triggers below).
CREATE TABLE folder (
  id INTEGER PRIMARY KEY,                    -- by which its segments name it
  root_id TEXT NOT NULL REFERENCES root (id),  -- below which root it lies
  path TEXT NOT NULL CHECK (path = '' OR substr(path, -1) = '/'),  -- relative to the root, with a slash at its end; empty: the root itself
  UNIQUE (root_id, path)
) STRICT;

-- What many segments have in common. A row stays when its last segment goes: it tells of nobody.
CREATE TABLE segment_kind (
  id INTEGER PRIMARY KEY,                    -- by which segments name it
  time_source TEXT NOT NULL,                 -- which clock won: name-utc, name-local, container, ...
  time_quality TEXT NOT NULL CHECK (time_quality IN ('agreed', 'single', 'disagreeing')),  -- whether the clocks agree
  container TEXT NOT NULL,                   -- by content, not by extension: mp4, matroska, mpegts, avi, ...
  codec TEXT NOT NULL,                       -- of the video track
  width INTEGER NOT NULL,                    -- pixels
  height INTEGER NOT NULL,                   -- pixels
  has_audio INTEGER NOT NULL CHECK (has_audio IN (0, 1)),  -- 1: there is a sound track; whether it may be handed over is the camera's
  UNIQUE (time_source, time_quality, container, codec, width, height, has_audio)
) STRICT;

-- One recorded file. Rows lie side by side as they are asked for, by camera and time: an hour of a camera is one or two pages, not
-- a page for each of its segments.
CREATE TABLE segment (
  camera_number INTEGER NOT NULL REFERENCES camera_footage (number),  -- whose footage it is
  start_us INTEGER NOT NULL,                 -- capture time of the oldest frame: every limit counts from here
  id INTEGER NOT NULL,                       -- never reused, so that a deletion record names one file for ever (segment_sequence)
  end_us INTEGER NOT NULL,                   -- start plus media duration
  folder_id INTEGER NOT NULL REFERENCES folder (id),  -- where it lies
  name TEXT NOT NULL CHECK (name <> '' AND instr(name, '/') = 0),  -- in that folder, as the VMS named it
  kind_id INTEGER NOT NULL REFERENCES segment_kind (id),  -- what it has in common with others
  time_disagreement_ms INTEGER,              -- how far the other clocks are from the one that won
  size_bytes INTEGER NOT NULL CHECK (size_bytes > 0),  -- when indexed; deletion refuses another size
  inode INTEGER NOT NULL,                    -- when indexed; deletion refuses another inode. 64 bits: from 2^63 on it is stored less 2^64
  mtime_us INTEGER NOT NULL,                 -- when indexed: tells a rescan that nothing changed; never an age
  frames_per_1000_s INTEGER,                 -- average frame rate, where known
  truncated INTEGER NOT NULL CHECK (truncated IN (0, 1)),  -- 1: cut short; what is playable is what is indexed
  deleting INTEGER NOT NULL CHECK (deleting IN (0, 1)),  -- 1: an intent is open (I5)
  first_seen_us INTEGER NOT NULL,            -- when indexed
  missing_since_us INTEGER,                  -- when it was found gone without us; null while it is on disk (I6)
  PRIMARY KEY (camera_number, start_us, id),
  CHECK (end_us > start_us),
  CHECK (deleting = 0 OR missing_since_us IS NULL)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX segment_by_id ON segment (id);
CREATE UNIQUE INDEX segment_by_path ON segment (folder_id, name);
CREATE INDEX segment_by_inode ON segment (inode);
CREATE INDEX segment_missing ON segment (camera_number, start_us) WHERE missing_since_us IS NOT NULL;
-- Of ten minutes and more, and of two hours and more: a query for a range looks for them apart, each only as far back as it has to.
CREATE INDEX segment_long ON segment (camera_number, start_us, end_us) WHERE end_us - start_us >= 600000000;
CREATE INDEX segment_longest ON segment (camera_number, start_us, end_us) WHERE end_us - start_us >= 7200000000;

-- The highest id that a segment was ever given.
CREATE TABLE segment_sequence (
  only INTEGER PRIMARY KEY CHECK (only = 1),  -- one row
  last_id INTEGER NOT NULL                   -- the next segment gets the one after it
) STRICT;
INSERT INTO segment_sequence (only, last_id) VALUES (1, 0);
CREATE TRIGGER segment_id_once BEFORE INSERT ON segment WHEN NEW.id <= (SELECT last_id FROM segment_sequence)
  BEGIN SELECT RAISE(ABORT, 'the id of a segment is never used twice'); END;

CREATE TRIGGER segment_inserted AFTER INSERT ON segment BEGIN
  UPDATE segment_sequence SET last_id = NEW.id;
  UPDATE camera_footage SET segments = segments + (NEW.missing_since_us IS NULL),
    missing = missing + (NEW.missing_since_us IS NOT NULL),
    size_bytes = size_bytes + iif(NEW.missing_since_us IS NULL, NEW.size_bytes, 0) WHERE number = NEW.camera_number;
END;
CREATE TRIGGER segment_deleted AFTER DELETE ON segment BEGIN
  UPDATE camera_footage SET segments = segments - (OLD.missing_since_us IS NULL),
    missing = missing - (OLD.missing_since_us IS NOT NULL),
    size_bytes = size_bytes - iif(OLD.missing_since_us IS NULL, OLD.size_bytes, 0) WHERE number = OLD.camera_number;
  DELETE FROM folder WHERE id = OLD.folder_id AND NOT EXISTS (SELECT 1 FROM segment WHERE folder_id = OLD.folder_id);
END;
CREATE TRIGGER segment_changed AFTER UPDATE OF camera_number, missing_since_us, size_bytes ON segment BEGIN
  UPDATE camera_footage SET segments = segments - (OLD.missing_since_us IS NULL),
    missing = missing - (OLD.missing_since_us IS NOT NULL),
    size_bytes = size_bytes - iif(OLD.missing_since_us IS NULL, OLD.size_bytes, 0) WHERE number = OLD.camera_number;
  UPDATE camera_footage SET segments = segments + (NEW.missing_since_us IS NULL),
    missing = missing + (NEW.missing_since_us IS NOT NULL),
    size_bytes = size_bytes + iif(NEW.missing_since_us IS NULL, NEW.size_bytes, 0) WHERE number = NEW.camera_number;
END;
CREATE TRIGGER segment_moved AFTER UPDATE OF folder_id ON segment WHEN NEW.folder_id <> OLD.folder_id BEGIN
  DELETE FROM folder WHERE id = OLD.folder_id AND NOT EXISTS (SELECT 1 FROM segment WHERE folder_id = OLD.folder_id);
END;

-- What each clock said, of segments whose clocks disagree or whose name has two meanings. Of all others their row and path tell it.
CREATE TABLE segment_clock (
  segment_id INTEGER PRIMARY KEY REFERENCES segment (id) ON DELETE CASCADE,  -- goes with it
  name_from_us INTEGER NOT NULL,             -- earliest instant that the name can mean
  name_until_us INTEGER NOT NULL,            -- latest one; the same where it means one
  container_us INTEGER,                      -- creation_time of the container, null where there is none
  recorder_us INTEGER,                       -- the recorder's own clock in the container, null where there is none
  written_us INTEGER NOT NULL                -- last write to the file, when indexed
) STRICT;

-- From when a recorder (MediaMTX) was connected to a camera until it was not any more. A row stays when its last segment goes: it is
-- a random number, and tells of nobody.
CREATE TABLE recorder_stream (
  id INTEGER PRIMARY KEY,                    -- by which segments name it
  stream TEXT NOT NULL UNIQUE CHECK (length(stream) = 32)  -- as the recorder names it, hexadecimal
) STRICT;

-- Which of a stream a segment is, where the recorder writes it into the file: numbers that follow one another prove that nothing lies between.
CREATE TABLE segment_number (
  segment_id INTEGER PRIMARY KEY REFERENCES segment (id) ON DELETE CASCADE,  -- goes with it
  stream_id INTEGER NOT NULL REFERENCES recorder_stream (id),  -- of which stream
  number INTEGER NOT NULL CHECK (number >= 0)  -- counted by the recorder
) STRICT;

-- Where a recording can be cut without decoding it. Read from the file when first asked for; true of the file of that size and last write.
CREATE TABLE key_frames (
  segment_id INTEGER PRIMARY KEY REFERENCES segment (id) ON DELETE CASCADE,  -- whose key frames
  size_bytes INTEGER NOT NULL,               -- of the file that was read
  mtime_us INTEGER NOT NULL,                 -- of the file that was read
  complete INTEGER NOT NULL CHECK (complete IN (0, 1)),  -- 0: there are more, in between
  offsets BLOB NOT NULL                      -- microseconds after the segment's start, ascending, as differences in LEB128
) STRICT;

-- A file in a root that is not, or not yet, a segment. Never touched by the gateway.
CREATE TABLE quarantine (
  root_id TEXT NOT NULL REFERENCES root (id),  -- below which folder it lies
  path TEXT NOT NULL,                        -- relative to the root
  reason TEXT NOT NULL,                      -- closed set, see recordings/
  detail TEXT NOT NULL,                      -- for a person
  camera_id TEXT REFERENCES camera (id),     -- where the name tells
  bound_us INTEGER NOT NULL,                 -- the latest instant its content can be from: the name's, else when first seen
  size_bytes INTEGER NOT NULL,               -- when last looked at
  inode TEXT NOT NULL,                       -- when last looked at, decimal
  mtime_us INTEGER NOT NULL,                 -- when last looked at: tells a rescan that nothing changed
  first_seen_us INTEGER NOT NULL,            -- when it was first met
  PRIMARY KEY (root_id, path)
) STRICT, WITHOUT ROWID;

-- What the gateway made from segments: copies, plans, masked copies, packages, pictures to look at, and the protected copies of
-- what is held. It goes with them (I7).
CREATE TABLE derived_file (
  id INTEGER PRIMARY KEY AUTOINCREMENT,      -- never reused
  path TEXT NOT NULL UNIQUE,                 -- relative to the data folder
  kind TEXT NOT NULL CHECK (kind IN ('original-copy', 'plan', 'masked-copy', 'package', 'archive', 'still', 'contact-sheet', 'vault-copy')),  -- a package and a copy in the vault are folders, everything else a file
  request_id TEXT REFERENCES disclosure_request (id),  -- what it was made for; it ends with it at the latest; null exactly for pictures and the vault
  created_us INTEGER NOT NULL,               -- when registered, before the file itself
  size_bytes INTEGER,                        -- of a picture that is whole; null while it is made, and for everything else
  CHECK ((request_id IS NULL) = (kind IN ('still', 'contact-sheet', 'vault-copy'))),
  CHECK (size_bytes IS NULL OR kind IN ('still', 'contact-sheet'))
) STRICT;
CREATE INDEX derived_file_by_request ON derived_file (request_id);
-- Pictures are many and live for hours: the oldest go first.
CREATE INDEX derived_file_pictures ON derived_file (created_us) WHERE kind IN ('still', 'contact-sheet');

-- Which segments a derived file shows. No foreign key to segment: the row outlives it only until the file is removed too.
CREATE TABLE derived_source (
  derived_id INTEGER NOT NULL REFERENCES derived_file (id) ON DELETE CASCADE,  -- what shows it
  segment_id INTEGER NOT NULL,               -- what is shown
  PRIMARY KEY (derived_id, segment_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX derived_source_by_segment ON derived_source (segment_id);

-- Copies of held footage in the gateway's own protected store, below vault/ of the data folder. A copy has its derived_file too:
-- that is how it goes with its segment (I24).
CREATE TABLE vault_copy (
  derived_id INTEGER PRIMARY KEY REFERENCES derived_file (id) ON DELETE CASCADE,  -- its folder
  segment_id INTEGER NOT NULL,               -- whose footage; derived_source says the same
  state TEXT NOT NULL CHECK (state IN ('copying', 'whole', 'removing')),  -- removing: no hold covers it any more, and its file may be gone
  file_name TEXT NOT NULL CHECK (file_name <> '' AND instr(file_name, '/') = 0),  -- of the footage in its folder
  method TEXT CHECK (method IN ('reflink', 'hard-link', 'copy')),  -- how it was made; null until it is whole, like all that follows
  size_bytes INTEGER CHECK (size_bytes > 0),  -- of the footage
  sha256 TEXT,                               -- of the footage, read back from the disk
  init_sha256 TEXT,                          -- of the initialisation segment beside it; null where it needs none
  copied_us INTEGER,                         -- when it was whole
  inode TEXT,                                -- of the copy: with its size and last write it tells that nobody touched it
  mtime_us INTEGER,                          -- of the copy
  source_inode TEXT,                         -- of the recorder's file that held just these bytes when last compared
  source_size_bytes INTEGER,                 -- of that file; more than the copy where the recorder wrote on
  source_mtime_us INTEGER,                   -- of that file
  original TEXT NOT NULL DEFAULT 'there' CHECK (original IN ('there', 'grown', 'changed', 'gone')),  -- what became of that file
  original_us INTEGER,                       -- since when it is not there as it was; null while it is
  damaged_us INTEGER,                        -- when the copy was found not to be what it was; null while it is
  CHECK (state <> 'whole' OR (method IS NOT NULL AND size_bytes IS NOT NULL AND sha256 IS NOT NULL AND copied_us IS NOT NULL
    AND inode IS NOT NULL AND mtime_us IS NOT NULL AND source_inode IS NOT NULL AND source_size_bytes IS NOT NULL
    AND source_mtime_us IS NOT NULL))
) STRICT;
CREATE INDEX vault_copy_by_segment ON vault_copy (segment_id);
CREATE UNIQUE INDEX vault_copy_whole ON vault_copy (segment_id) WHERE state = 'whole';

-- Copies that went apart from their segment: the record of it. Like `deletion`, without path, picture or name (I4).
CREATE TABLE vault_removal (
  id INTEGER PRIMARY KEY AUTOINCREMENT,      -- never reused: the audit log names it
  derived_id INTEGER NOT NULL,               -- the copy
  segment_id INTEGER NOT NULL,               -- whose footage it was
  camera_id TEXT NOT NULL,                   -- as the segment had it
  start_us INTEGER NOT NULL,                 -- as the segment had it
  end_us INTEGER NOT NULL,                   -- as the segment had it
  size_bytes INTEGER NOT NULL,               -- of the copy
  why TEXT NOT NULL CHECK (why IN ('hold-ended', 'replaced')),  -- no hold any more; or a newer copy of the same segment is whole
  intended_us INTEGER NOT NULL,              -- when it was decided
  done_us INTEGER                            -- when it was gone and its folder synced; null until then
) STRICT;
CREATE INDEX vault_removal_open ON vault_removal (derived_id) WHERE done_us IS NULL;

-- A deletion, first as an intent and then as its own proof. Holds no path, picture or name (I4).
CREATE TABLE deletion (
  id INTEGER PRIMARY KEY AUTOINCREMENT,      -- never reused: the audit log names it
  segment_id INTEGER NOT NULL,               -- id the segment had; the row itself is gone once this is done
  camera_id TEXT NOT NULL,                   -- whose footage it was
  start_us INTEGER NOT NULL,                 -- as the segment had it
  end_us INTEGER NOT NULL,                   -- until when it covered the time
  size_bytes INTEGER NOT NULL,               -- as the segment had it
  inode TEXT NOT NULL,                       -- as the segment had it, decimal
  rule_id TEXT NOT NULL,                     -- which rule said so, with its version
  due_us INTEGER NOT NULL,                   -- when it fell due
  intended_us INTEGER NOT NULL,              -- when the intent was committed
  state TEXT NOT NULL CHECK (state IN ('intended', 'done', 'refused')),  -- see SCHEMA.md, Delete
  done_us INTEGER,                           -- when the file was known to be gone and its folder synced; null until then
  result TEXT CHECK (result IN ('unlinked', 'already-absent', 'not-the-indexed-file', 'held')),  -- see SCHEMA.md, Delete
  attempts INTEGER NOT NULL DEFAULT 0,       -- failed tries so far
  last_error TEXT,                           -- code of the last failure, null once done
  CHECK ((state = 'intended') = (done_us IS NULL)),
  CHECK ((state = 'intended') = (result IS NULL))
) STRICT;
CREATE UNIQUE INDEX deletion_open ON deletion (segment_id) WHERE state = 'intended';
CREATE INDEX deletion_by_camera ON deletion (camera_id, start_us);
-- Asked for each segment that is due, among the records of five years.
CREATE INDEX deletion_refused ON deletion (segment_id) WHERE result = 'not-the-indexed-file';

-- Longer storage on a typed ground.
CREATE TABLE hold (
  id TEXT PRIMARY KEY,                       -- random
  ground TEXT NOT NULL CHECK (ground IN      -- typed; free text alone is refused
    ('disclosure-request', 'reported-offence', 'dispute', 'access-request', 'complaint', 'legal-duty')),
  facts TEXT,                                -- JSON of what the ground demands: see the CHECK; null exactly where no person placed it by this act
  reference TEXT NOT NULL CHECK (length(trim(reference)) > 0),  -- journal or case number, counterparty or provision: one line to know it by
  reason TEXT NOT NULL,                      -- for a person
  wide_reason TEXT,                          -- why more than 60 minutes or 3 cameras are needed; null where they are not
  request_id TEXT REFERENCES disclosure_request (id),  -- set exactly for ground disclosure-request
  start_us INTEGER NOT NULL,                 -- oldest instant it keeps
  end_us INTEGER NOT NULL,                   -- first instant it does not keep any more
  placed_as TEXT NOT NULL CHECK (placed_as IN ('security', 'legal', 'request', 'restored', 'upgraded')),  -- in which capacity; upgraded: before grounds had facts
  placed_by TEXT NOT NULL,                   -- actor
  placed_us INTEGER NOT NULL,                -- when placed
  review_us INTEGER NOT NULL,                -- ends here unless prolonged or a freeze: at most 90 days after it was set; provisional: 14 after it was placed
  review_set_us INTEGER NOT NULL,            -- when that date was set: placed, approved or prolonged
  wanted_review_us INTEGER,                  -- the date that counts once legal has approved; null where nothing waits for that
  approve_by_us INTEGER,                     -- by when legal is to decide; set exactly for what security placed
  approved_us INTEGER,                       -- when legal approved, or placed it; null before, and where none is asked for
  approved_by TEXT,                          -- actor; never the one of security who placed it
  notify_by_us INTEGER,                      -- by when the other party of a dispute is to be told: 30 days after the oldest frame
  notified_us INTEGER,                       -- when the other party was told
  announced_us INTEGER,                      -- first reminder of this review date; null before
  reminded_us INTEGER,                       -- last reminder of it; null before
  lifted_us INTEGER,                         -- when it ended, null while in force
  lifted_by TEXT,                            -- actor who ended it
  outcome TEXT CHECK (outcome IN ('lifted', 'refused', 'expired')),  -- how it ended
  orderly INTEGER NOT NULL CHECK (orderly IN (0, 1)),  -- 1: expired, announced days before, with sweeps up to its end: the brake lets it go
  CHECK (end_us > start_us),
  CHECK (review_us > review_set_us AND review_us <= review_set_us + 7776000000000),
  CHECK (review_set_us >= placed_us),
  CHECK ((ground = 'disclosure-request') = (request_id IS NOT NULL)),
  CHECK ((facts IS NOT NULL) = (placed_as IN ('security', 'legal'))),
  CHECK (facts IS NULL OR coalesce(json_valid(facts) AND facts ->> 'ground' = ground AND CASE ground
    WHEN 'reported-offence' THEN length(trim(facts ->> 'journalNumber')) > 0 AND date(facts ->> 'reportedOn') = facts ->> 'reportedOn'
      AND facts ->> 'reportedOn' <= date(placed_us / 1000000 + 50400, 'unixepoch')
    WHEN 'dispute' THEN length(trim(facts ->> 'counterparty')) > 0 AND length(trim(facts ->> 'description')) >= 10
    WHEN 'legal-duty' THEN length(trim(facts ->> 'provision')) > 0
    WHEN 'disclosure-request' THEN 0
    ELSE length(trim(facts ->> 'caseNumber')) > 0 AND date(facts ->> 'receivedOn') = facts ->> 'receivedOn'
      AND facts ->> 'receivedOn' <= date(placed_us / 1000000 + 50400, 'unixepoch') END, 0)),
  CHECK (facts IS NULL OR end_us - start_us <= 3600000000 OR length(trim(coalesce(wide_reason, ''))) >= 10),
  CHECK ((approve_by_us IS NOT NULL) = (placed_as = 'security')),
  CHECK ((approved_us IS NULL) = (approved_by IS NULL)),
  CHECK (placed_as <> 'legal' OR approved_us IS NOT NULL),
  CHECK (placed_as <> 'security' OR coalesce(approved_by, '') <> placed_by),
  CHECK (placed_as <> 'security' OR approved_us IS NOT NULL OR review_us <= placed_us + 1209600000000),
  CHECK ((ground = 'dispute' AND placed_as IN ('security', 'legal')) <= (notify_by_us IS NOT NULL)),
  CHECK ((lifted_us IS NULL) = (lifted_by IS NULL)),
  CHECK ((lifted_us IS NULL) = (outcome IS NULL)),
  CHECK (outcome IS NULL OR outcome <> 'expired' OR ground NOT IN ('access-request', 'complaint')),
  CHECK (orderly = 0 OR coalesce(outcome, '') = 'expired')
) STRICT;
CREATE TABLE hold_camera (
  hold_id TEXT NOT NULL REFERENCES hold (id) ON DELETE CASCADE,  -- the hold
  camera_id TEXT NOT NULL REFERENCES camera (id),  -- a camera whose footage it keeps
  PRIMARY KEY (hold_id, camera_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX hold_camera_by_camera ON hold_camera (camera_id);

-- What became of a hold, act by act. Free text lives here, never in the audit log.
CREATE TABLE hold_step (
  id INTEGER PRIMARY KEY AUTOINCREMENT,      -- in the order of the acts
  hold_id TEXT NOT NULL REFERENCES hold (id) ON DELETE CASCADE,  -- which hold
  kind TEXT NOT NULL CHECK (kind IN ('approved', 'refused', 'prolonged', 'lifted', 'expired', 'notified', 'copy-requested', 'copy-handed')),  -- what was done
  by_whom TEXT NOT NULL,                     -- actor
  at_us INTEGER NOT NULL,                    -- when it was entered
  facts TEXT NOT NULL CHECK (json_valid(facts))  -- JSON: the reason, the new date, or when, how and by which document
) STRICT;
CREATE INDEX hold_step_by_hold ON hold_step (hold_id, id);

-- Grounds of par. 4 c(5) that legal has enabled for a class that does not have them by itself.
CREATE TABLE enabled_ground (
  class TEXT NOT NULL CHECK (class IN ('municipal')),  -- of cameras
  ground TEXT NOT NULL CHECK (ground IN ('reported-offence', 'dispute', 'legal-duty')),  -- what may be a ground there
  reason TEXT NOT NULL CHECK (length(trim(reason)) >= 10),  -- why legal thinks so
  enabled_by TEXT NOT NULL,                  -- actor
  enabled_us INTEGER NOT NULL,               -- when
  PRIMARY KEY (class, ground)
) STRICT, WITHOUT ROWID;

-- One disclosure. Free text lives here, never in the audit log.
CREATE TABLE disclosure_request (
  id TEXT PRIMARY KEY,                       -- random
  state TEXT NOT NULL CHECK (state IN ('requested', 'preparing', 'prepared', 'preparation-failed', 'reviewed',  -- which may follow which: domain/disclosure.ts
    'approved', 'refused', 'packaged', 'closed')),
  ground TEXT NOT NULL CHECK (ground IN ('police', 'consent', 'law')),  -- CCTV Act par. 4 c(1): there is no fourth
  legal_basis TEXT,                          -- provision or consent; null for the police
  recipient_kind TEXT NOT NULL CHECK (recipient_kind IN ('police', 'authority', 'person')),  -- must fit the ground and the class of each camera
  recipient_name TEXT NOT NULL,              -- station, authority or person
  recipient_contact TEXT NOT NULL,           -- how they were reached, checked by the requester
  journal_number TEXT NOT NULL,              -- the recipient's case number
  purpose TEXT NOT NULL,                     -- why the footage is asked for
  start_us INTEGER NOT NULL,                 -- oldest instant asked for
  end_us INTEGER NOT NULL,                   -- first instant not asked for any more
  requested_by TEXT NOT NULL REFERENCES user (id),  -- may neither review nor decide (I11)
  requested_us INTEGER NOT NULL,             -- when asked
  failure TEXT,                              -- why preparing failed, for a person
  worker_lease_us INTEGER,                   -- until when a running preparation is believed alive
  reviewed_by TEXT REFERENCES user (id),     -- who looked at the masks
  reviewed_us INTEGER,                       -- when
  review_hash TEXT,                          -- hash of what was looked at
  decided_by TEXT REFERENCES user (id),      -- who approved or refused
  decided_us INTEGER,                        -- when
  decision_reason TEXT,                      -- the concrete assessment
  audio_reason TEXT,                         -- why sound goes along
  redacted_only_reason TEXT,                 -- why the originals stay behind
  approval_hash TEXT,                        -- scopeHash of what was approved; void as soon as it differs
  package_expires_us INTEGER,                -- when the gateway's copy goes
  closed_us INTEGER,                         -- when its files went and its hold ended
  CHECK (end_us > start_us),
  CHECK (decided_by IS NULL OR decided_by <> requested_by),
  CHECK (reviewed_by IS NULL OR reviewed_by <> requested_by),
  CHECK ((state IN ('approved', 'packaged')) <= (approval_hash IS NOT NULL AND reviewed_by IS NOT NULL))
) STRICT;
CREATE TABLE request_camera (
  request_id TEXT NOT NULL REFERENCES disclosure_request (id) ON DELETE CASCADE,  -- the request
  camera_id TEXT NOT NULL REFERENCES camera (id),  -- a camera it asks for
  PRIMARY KEY (request_id, camera_id)
) STRICT, WITHOUT ROWID;

-- One original of a request, with what was prepared from it.
CREATE TABLE request_item (
  request_id TEXT NOT NULL REFERENCES disclosure_request (id) ON DELETE CASCADE,  -- the request
  position INTEGER NOT NULL,                 -- order by camera and start, from 0
  segment_id INTEGER NOT NULL,               -- the segment it was copied from
  camera_id TEXT NOT NULL REFERENCES camera (id),  -- as the segment had it
  start_us INTEGER NOT NULL,                 -- as the segment had it
  end_us INTEGER NOT NULL,                   -- until when it covers the time
  source_name TEXT NOT NULL,                 -- file name the VMS gave it
  size_bytes INTEGER NOT NULL,               -- of the original
  container TEXT NOT NULL,                   -- of the original
  codec TEXT NOT NULL,                       -- of the original's video track
  has_audio INTEGER NOT NULL CHECK (has_audio IN (0, 1)),  -- 1: the original has sound
  sha256 TEXT NOT NULL,                      -- of the original, read back from the copy
  original_path TEXT NOT NULL,               -- copy, relative to the data folder
  plan_path TEXT NOT NULL,                   -- tracks and timeline, relative to the data folder
  plan_sha256 TEXT NOT NULL,                 -- of the plan file
  redacted_path TEXT NOT NULL,               -- masked copy, relative to the data folder
  redacted_sha256 TEXT NOT NULL,             -- of the masked copy
  decisions TEXT NOT NULL,                   -- JSON of MaskDecisions
  summary TEXT NOT NULL,                     -- JSON: frames, tracks, uncertain spans, detector
  PRIMARY KEY (request_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE user (
  id TEXT PRIMARY KEY,                       -- pseudonym: this stands in the audit log
  name TEXT NOT NULL UNIQUE,                 -- what they log in with; never in the audit log
  roles TEXT NOT NULL,                       -- JSON array of roles
  password_hash TEXT NOT NULL,               -- argon2id
  created_us INTEGER NOT NULL,               -- when added
  disabled_us INTEGER                        -- since when they may do nothing any more
) STRICT;

CREATE TABLE session (
  id_hash TEXT PRIMARY KEY,                  -- SHA-256 of the session id: a stolen database opens no session
  user_id TEXT REFERENCES user (id),         -- null before login
  data TEXT NOT NULL,                        -- JSON of the session
  expires_us INTEGER NOT NULL                -- when it ends by itself
) STRICT;

-- Something a person has to do. One open task per kind and subject.
CREATE TABLE task (
  id INTEGER PRIMARY KEY AUTOINCREMENT,      -- never reused
  kind TEXT NOT NULL,                        -- what sort of thing, e.g. deletion-failing
  subject TEXT NOT NULL,                     -- what it is about, as kind:id
  detail TEXT NOT NULL,                      -- what to do, for a person
  created_us INTEGER NOT NULL,               -- when opened
  done_us INTEGER                            -- when done, null while open
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
-- Also against REPLACE, which deletes without asking the trigger on DELETE.
CREATE TRIGGER audit_event_append BEFORE INSERT ON audit_event
  WHEN NEW.seq <> (SELECT coalesce(max(seq), -1) + 1 FROM audit_event)
  BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_event_no_update BEFORE UPDATE ON audit_event
  BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_event_no_delete BEFORE DELETE ON audit_event
  BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

-- Signed statements on the log, one for each transaction that wrote to it (I9).
CREATE TABLE audit_checkpoint (
  size INTEGER PRIMARY KEY,                  -- entries covered
  note TEXT NOT NULL,                        -- C2SP checkpoint with signature
  at_us INTEGER NOT NULL                     -- wall clock when signed: the highest one is what the clock is held against
) STRICT;
CREATE INDEX audit_checkpoint_by_time ON audit_checkpoint (at_us, size);
CREATE TRIGGER audit_checkpoint_append BEFORE INSERT ON audit_checkpoint
  WHEN NEW.size <= (SELECT coalesce(max(size), -1) FROM audit_checkpoint)
  BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END;
CREATE TRIGGER audit_checkpoint_no_update BEFORE UPDATE ON audit_checkpoint
  BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END;
CREATE TRIGGER audit_checkpoint_no_delete BEFORE DELETE ON audit_checkpoint
  BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END;

-- Right edge of the Merkle tree, so that appending needs no reading.
CREATE TABLE audit_frontier (
  only INTEGER PRIMARY KEY CHECK (only = 1),  -- one row
  size INTEGER NOT NULL,                     -- entries covered
  peaks BLOB NOT NULL                        -- roots of the perfect subtrees, largest first, 32 bytes each
) STRICT;

-- What retention remembers between sweeps, one row.
CREATE TABLE sweep_state (
  only INTEGER PRIMARY KEY CHECK (only = 1),  -- one row
  last_sweep_us INTEGER,                     -- wall clock of the last sweep: an earlier clock is not believed
  boot_id TEXT,                              -- which run of the machine that was in, where the system tells
  uptime_us INTEGER,                         -- time since that boot at the last sweep: tells a clock that was set forward
  accepted_size INTEGER                      -- log entries from before a person vouched for the clock: they prove nothing
) STRICT;

-- What a sweep that came to its end deleted of a camera: by the last ones the next is judged.
CREATE TABLE sweep_history (
  id INTEGER PRIMARY KEY AUTOINCREMENT,      -- in the order of the sweeps, whatever the clock said
  camera_id TEXT NOT NULL REFERENCES camera (id),  -- of which camera
  swept_us INTEGER NOT NULL,                 -- end of the sweep
  segments INTEGER NOT NULL CHECK (segments > 0),  -- how many went
  footage_us INTEGER NOT NULL CHECK (footage_us >= 0)  -- and how long they were together
) STRICT;
CREATE INDEX sweep_history_by_camera ON sweep_history (camera_id, id);

-- What waits for two persons, an administrator among them. Never changed: what is shown anew is another one.
CREATE TABLE proposal (
  id TEXT PRIMARY KEY,                       -- random
  kind TEXT NOT NULL CHECK (kind IN ('mass-deletion', 'accept-clock')),  -- what is to be done
  opened_us INTEGER NOT NULL,                -- when it was shown first
  shown TEXT NOT NULL,                       -- JSON of what is agreed to: cameras and counts, or what is wrong with the clock
  ended_us INTEGER,                          -- when it was carried out, replaced or not needed any more; null while it waits
  outcome TEXT CHECK (outcome IN ('carried-out', 'replaced', 'not-needed')),  -- which of these
  CHECK ((ended_us IS NULL) = (outcome IS NULL))
) STRICT;
CREATE UNIQUE INDEX proposal_open ON proposal (kind) WHERE ended_us IS NULL;
CREATE TABLE proposal_vote (
  proposal_id TEXT NOT NULL REFERENCES proposal (id),  -- what was agreed to
  user_id TEXT NOT NULL REFERENCES user (id),  -- who said yes
  at_us INTEGER NOT NULL,                    -- when; it counts for some hours
  PRIMARY KEY (proposal_id, user_id)
) STRICT, WITHOUT ROWID;

-- A period that was changed and does not count yet: a shorter one waits a day, a longer one for a second person.
CREATE TABLE retention_change (
  id TEXT PRIMARY KEY,                       -- random
  camera_id TEXT NOT NULL REFERENCES camera (id),  -- whose footage it is about
  from_class TEXT NOT NULL,                  -- class, days and reason in force when it was proposed
  from_days INTEGER NOT NULL,                -- the same
  from_reason TEXT,                          -- the same
  to_class TEXT NOT NULL CHECK (to_class IN ('crime-prevention', 'municipal', 'permit', 'live-only', 'other-purpose')),  -- those that are to count; see the CHECKs (I1)
  to_days INTEGER NOT NULL,                  -- the same
  to_reason TEXT,                            -- the same
  reason TEXT NOT NULL CHECK (length(trim(reason)) > 0),  -- why it is changed
  proposed_by TEXT NOT NULL,                 -- actor; "gateway" where the configuration file says so
  proposed_us INTEGER NOT NULL,              -- when
  effective_us INTEGER,                      -- from when a shorter period counts: a day later at the earliest; null for a longer one
  ended_us INTEGER,                          -- when it came into force or was withdrawn; null while it waits
  ended_by TEXT,                             -- actor; for a longer period another one than who proposed it
  outcome TEXT CHECK (outcome IN ('applied', 'cancelled', 'replaced')),  -- which of these
  CHECK (to_days BETWEEN 1 AND CASE to_class WHEN 'other-purpose' THEN 365 ELSE 30 END),
  CHECK (to_class <> 'other-purpose' OR length(trim(coalesce(to_reason, ''))) >= 10),
  CHECK (to_days > from_days OR effective_us >= proposed_us + 86400000000),
  CHECK (to_days <= from_days OR coalesce(outcome, '') <> 'applied' OR ended_by <> proposed_by),
  CHECK ((ended_us IS NULL) = (outcome IS NULL)),
  CHECK ((ended_us IS NULL) = (ended_by IS NULL))
) STRICT;
CREATE UNIQUE INDEX retention_change_open ON retention_change (camera_id) WHERE ended_us IS NULL;

-- What the configuration file said last: only a value that was changed there is a change.
CREATE TABLE configured_period (
  camera_id TEXT PRIMARY KEY REFERENCES camera (id),  -- a camera that it names
  class TEXT NOT NULL,                       -- the class it gave
  days INTEGER NOT NULL                      -- the retentionDays it gave
) STRICT;
