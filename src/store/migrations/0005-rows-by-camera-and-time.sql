-- A million segments took 265 MB, and an hour of a camera was read from as many pages as it has segments. Now rows lie by camera and
-- time, and what many of them have in common (folder, camera, kind of picture) is written once.
--
-- Rows are not held in memory: they are read by the index on camera and time, in the order in which they are written. While it runs
-- the WAL grows to about one and a half times the database.
DROP TRIGGER camera_footage_insert;
DROP TRIGGER camera_footage_delete;
DROP TRIGGER camera_footage_update;

CREATE TABLE camera_footage_new (
  number INTEGER PRIMARY KEY,
  camera_id TEXT NOT NULL UNIQUE REFERENCES camera (id),
  segments INTEGER NOT NULL,
  missing INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL
) STRICT;
INSERT INTO camera_footage_new (camera_id, segments, missing, size_bytes)
  SELECT id, coalesce(segments, 0), coalesce(missing, 0), coalesce(size_bytes, 0)
  FROM camera LEFT JOIN camera_footage ON camera_id = id ORDER BY id;
DROP TABLE camera_footage;
ALTER TABLE camera_footage_new RENAME TO camera_footage;
CREATE TRIGGER camera_footage_begin AFTER INSERT ON camera BEGIN
  INSERT INTO camera_footage (camera_id, segments, missing, size_bytes) VALUES (NEW.id, 0, 0, 0);
END;

CREATE TABLE folder (
  id INTEGER PRIMARY KEY,
  root_id TEXT NOT NULL REFERENCES root (id),
  path TEXT NOT NULL CHECK (path = '' OR substr(path, -1) = '/'),
  UNIQUE (root_id, path)
) STRICT;
-- What is trimmed from the end of a path is everything that is no slash: what is left is its folder.
INSERT INTO folder (root_id, path)
  SELECT DISTINCT root_id, rtrim(path, replace(path, '/', '')) FROM segment ORDER BY 1, 2;

CREATE TABLE segment_kind (
  id INTEGER PRIMARY KEY,
  time_source TEXT NOT NULL,
  time_quality TEXT NOT NULL CHECK (time_quality IN ('agreed', 'single', 'disagreeing')),
  container TEXT NOT NULL,
  codec TEXT NOT NULL,
  width INTEGER NOT NULL,
  height INTEGER NOT NULL,
  has_audio INTEGER NOT NULL CHECK (has_audio IN (0, 1)),
  UNIQUE (time_source, time_quality, container, codec, width, height, has_audio)
) STRICT;
INSERT INTO segment_kind (time_source, time_quality, container, codec, width, height, has_audio)
  SELECT DISTINCT time_source, time_quality, container, codec, width, height, has_audio FROM segment;

CREATE TABLE segment_sequence (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  last_id INTEGER NOT NULL
) STRICT;
INSERT INTO segment_sequence (only, last_id)
  SELECT 1, max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'segment'), 0), coalesce((SELECT max(id) FROM segment), 0));

CREATE TABLE segment_new (
  camera_number INTEGER NOT NULL REFERENCES camera_footage (number),
  start_us INTEGER NOT NULL,
  id INTEGER NOT NULL,
  end_us INTEGER NOT NULL,
  folder_id INTEGER NOT NULL REFERENCES folder (id),
  name TEXT NOT NULL CHECK (name <> '' AND instr(name, '/') = 0),
  kind_id INTEGER NOT NULL REFERENCES segment_kind (id),
  time_disagreement_ms INTEGER,
  size_bytes INTEGER NOT NULL CHECK (size_bytes > 0),
  inode INTEGER NOT NULL,
  mtime_us INTEGER NOT NULL,
  frames_per_1000_s INTEGER,
  truncated INTEGER NOT NULL CHECK (truncated IN (0, 1)),
  deleting INTEGER NOT NULL CHECK (deleting IN (0, 1)),
  first_seen_us INTEGER NOT NULL,
  missing_since_us INTEGER,
  PRIMARY KEY (camera_number, start_us, id),
  CHECK (end_us > start_us),
  CHECK (deleting = 0 OR missing_since_us IS NULL)
) STRICT, WITHOUT ROWID;
-- An inode of 2^63 and more is larger than an INTEGER and is stored less 2^64, taken apart into billions and the rest, since the
-- whole of it would be counted in floating point.
INSERT INTO segment_new (camera_number, start_us, id, end_us, folder_id, name, kind_id, time_disagreement_ms, size_bytes, inode,
    mtime_us, frames_per_1000_s, truncated, deleting, first_seen_us, missing_since_us)
  SELECT c.number, s.start_us, s.id, s.end_us, f.id, substr(s.path, length(f.path) + 1), k.id, s.time_disagreement_ms, s.size_bytes,
    iif(length(s.inode) > 19 OR (length(s.inode) = 19 AND s.inode > '9223372036854775807'),
      (CAST(substr(s.inode, 1, length(s.inode) - 9) AS INTEGER) - 18446744072) * 1000000000
        + (CAST(substr(s.inode, -9) AS INTEGER) - 1709551616),
      CAST(s.inode AS INTEGER)),
    s.mtime_us, CAST(round(s.frame_rate * 1000) AS INTEGER), s.truncated, s.state = 'deleting', s.first_seen_us, s.missing_since_us
  FROM camera_footage c
    CROSS JOIN segment s INDEXED BY segment_by_time ON s.camera_id = c.camera_id
    CROSS JOIN folder f ON f.root_id = s.root_id AND f.path = rtrim(s.path, replace(s.path, '/', ''))
    CROSS JOIN segment_kind k ON k.time_source = s.time_source AND k.time_quality = s.time_quality AND k.container = s.container
      AND k.codec = s.codec AND k.width = s.width AND k.height = s.height AND k.has_audio = s.has_audio
  ORDER BY c.number, s.start_us, s.end_us, s.id;
-- A row that is lost is footage that nobody deletes: rather no upgrade.
CREATE TEMP TABLE all_rows (kept INTEGER CHECK (kept = 1));
INSERT INTO all_rows SELECT (SELECT count(*) FROM segment_new) = (SELECT count(*) FROM segment);
DROP TABLE all_rows;
DROP TABLE segment;
ALTER TABLE segment_new RENAME TO segment;
CREATE UNIQUE INDEX segment_by_id ON segment (id);
CREATE UNIQUE INDEX segment_by_path ON segment (folder_id, name);
CREATE INDEX segment_by_inode ON segment (inode);
CREATE INDEX segment_missing ON segment (camera_number, start_us) WHERE missing_since_us IS NOT NULL;
CREATE INDEX segment_long ON segment (camera_number, start_us, end_us) WHERE end_us - start_us >= 600000000;
CREATE INDEX segment_longest ON segment (camera_number, start_us, end_us) WHERE end_us - start_us >= 7200000000;

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

CREATE INDEX deletion_refused ON deletion (segment_id) WHERE result = 'not-the-indexed-file';
