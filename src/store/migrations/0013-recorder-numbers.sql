-- Streams and numbers that a recorder writes into its files: rows only of those that do. What was indexed before has none until its
-- file is read again.
CREATE TABLE recorder_stream (
  id INTEGER PRIMARY KEY,
  stream TEXT NOT NULL UNIQUE CHECK (length(stream) = 32)
) STRICT;
CREATE TABLE segment_number (
  segment_id INTEGER PRIMARY KEY REFERENCES segment (id) ON DELETE CASCADE,
  stream_id INTEGER NOT NULL REFERENCES recorder_stream (id),
  number INTEGER NOT NULL CHECK (number >= 0)
) STRICT;
