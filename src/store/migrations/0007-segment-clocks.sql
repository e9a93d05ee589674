-- What each clock said, of segments whose clocks disagree or whose name has two meanings. Of all others their row and path tell it.
CREATE TABLE segment_clock (
  segment_id INTEGER PRIMARY KEY REFERENCES segment (id) ON DELETE CASCADE,  -- goes with it
  name_from_us INTEGER NOT NULL,             -- earliest instant that the name can mean
  name_until_us INTEGER NOT NULL,            -- latest one; the same where it means one
  container_us INTEGER,                      -- creation_time of the container, null where there is none
  recorder_us INTEGER,                       -- the recorder's own clock in the container, null where there is none
  written_us INTEGER NOT NULL                -- last write to the file, when indexed
) STRICT;
