-- Protected copies of held footage: in the inventory of the segment like everything that is made from it, and what is known of each.
-- A CHECK can only be changed by building the table anew. Its number sequence goes along: an id is never used twice.
CREATE TABLE derived_file_new (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  path TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL CHECK (kind IN ('original-copy', 'plan', 'masked-copy', 'package', 'archive', 'still', 'contact-sheet', 'vault-copy')),
  request_id TEXT REFERENCES disclosure_request (id),
  created_us INTEGER NOT NULL,
  size_bytes INTEGER,
  CHECK ((request_id IS NULL) = (kind IN ('still', 'contact-sheet', 'vault-copy'))),
  CHECK (size_bytes IS NULL OR kind IN ('still', 'contact-sheet'))
) STRICT;
INSERT INTO derived_file_new (id, path, kind, request_id, created_us, size_bytes)
  SELECT id, path, kind, request_id, created_us, size_bytes FROM derived_file;
DELETE FROM sqlite_sequence WHERE name = 'derived_file_new';
INSERT INTO sqlite_sequence (name, seq) SELECT 'derived_file_new', seq FROM sqlite_sequence WHERE name = 'derived_file';
DROP TABLE derived_file;
ALTER TABLE derived_file_new RENAME TO derived_file;
CREATE INDEX derived_file_by_request ON derived_file (request_id);
CREATE INDEX derived_file_pictures ON derived_file (created_us) WHERE kind IN ('still', 'contact-sheet');

CREATE TABLE vault_copy (
  derived_id INTEGER PRIMARY KEY REFERENCES derived_file (id) ON DELETE CASCADE,
  segment_id INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('copying', 'whole', 'removing')),
  file_name TEXT NOT NULL CHECK (file_name <> '' AND instr(file_name, '/') = 0),
  method TEXT CHECK (method IN ('reflink', 'hard-link', 'copy')),
  size_bytes INTEGER CHECK (size_bytes > 0),
  sha256 TEXT,
  init_sha256 TEXT,
  copied_us INTEGER,
  inode TEXT,
  mtime_us INTEGER,
  source_inode TEXT,
  source_size_bytes INTEGER,
  source_mtime_us INTEGER,
  original TEXT NOT NULL DEFAULT 'there' CHECK (original IN ('there', 'grown', 'changed', 'gone')),
  original_us INTEGER,
  damaged_us INTEGER,
  CHECK (state <> 'whole' OR (method IS NOT NULL AND size_bytes IS NOT NULL AND sha256 IS NOT NULL AND copied_us IS NOT NULL
    AND inode IS NOT NULL AND mtime_us IS NOT NULL AND source_inode IS NOT NULL AND source_size_bytes IS NOT NULL
    AND source_mtime_us IS NOT NULL))
) STRICT;
CREATE INDEX vault_copy_by_segment ON vault_copy (segment_id);
CREATE UNIQUE INDEX vault_copy_whole ON vault_copy (segment_id) WHERE state = 'whole';

CREATE TABLE vault_removal (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  derived_id INTEGER NOT NULL,
  segment_id INTEGER NOT NULL,
  camera_id TEXT NOT NULL,
  start_us INTEGER NOT NULL,
  end_us INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL,
  why TEXT NOT NULL CHECK (why IN ('hold-ended', 'replaced')),
  intended_us INTEGER NOT NULL,
  done_us INTEGER
) STRICT;
CREATE INDEX vault_removal_open ON vault_removal (derived_id) WHERE done_us IS NULL;
