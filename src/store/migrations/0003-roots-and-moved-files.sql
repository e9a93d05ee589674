-- A root is known by more than its inode, and a file that was moved is found by its own.
ALTER TABLE root ADD COLUMN marker TEXT;
ALTER TABLE root ADD COLUMN filesystem TEXT;
ALTER TABLE root ADD COLUMN read_only INTEGER CHECK (read_only IN (0, 1));
CREATE INDEX segment_by_inode ON segment (inode);
CREATE INDEX segment_missing ON segment (camera_id, start_us) WHERE state = 'missing';
