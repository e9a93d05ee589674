-- Finding footage: streams that are the same camera once more, where a recording can be cut, and pictures that are made to look at.
CREATE TABLE substream (
  stream_id TEXT PRIMARY KEY REFERENCES camera (id),
  camera_id TEXT NOT NULL REFERENCES camera (id),
  CHECK (stream_id <> camera_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX substream_by_camera ON substream (camera_id);

CREATE TABLE key_frames (
  segment_id INTEGER PRIMARY KEY REFERENCES segment (id) ON DELETE CASCADE,
  size_bytes INTEGER NOT NULL,
  mtime_us INTEGER NOT NULL,
  complete INTEGER NOT NULL CHECK (complete IN (0, 1)),
  offsets BLOB NOT NULL
) STRICT;

-- A CHECK can only be changed by building the table anew. Its number sequence goes along: an id is never used twice.
CREATE TABLE derived_file_new (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  path TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL CHECK (kind IN ('original-copy', 'plan', 'masked-copy', 'package', 'archive', 'still', 'contact-sheet')),
  request_id TEXT REFERENCES disclosure_request (id),
  created_us INTEGER NOT NULL,
  size_bytes INTEGER,
  CHECK ((request_id IS NULL) = (kind IN ('still', 'contact-sheet'))),
  CHECK (size_bytes IS NULL OR kind IN ('still', 'contact-sheet'))
) STRICT;
INSERT INTO derived_file_new (id, path, kind, request_id, created_us) SELECT id, path, kind, request_id, created_us FROM derived_file;
DELETE FROM sqlite_sequence WHERE name = 'derived_file_new';
INSERT INTO sqlite_sequence (name, seq) SELECT 'derived_file_new', seq FROM sqlite_sequence WHERE name = 'derived_file';
DROP TABLE derived_file;
ALTER TABLE derived_file_new RENAME TO derived_file;
CREATE INDEX derived_file_by_request ON derived_file (request_id);
CREATE INDEX derived_file_pictures ON derived_file (created_us) WHERE request_id IS NULL;
