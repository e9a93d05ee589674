-- Looking for a range, and the list of cameras, in an index of millions.
CREATE INDEX segment_long ON segment (camera_id, start_us, end_us) WHERE end_us - start_us >= 600000000;
CREATE TABLE camera_footage (
  camera_id TEXT PRIMARY KEY REFERENCES camera (id),
  segments INTEGER NOT NULL,
  missing INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL
) STRICT;
CREATE TRIGGER camera_footage_insert AFTER INSERT ON segment BEGIN
  INSERT INTO camera_footage (camera_id, segments, missing, size_bytes)
    VALUES (NEW.camera_id, NEW.state <> 'missing', NEW.state = 'missing', iif(NEW.state = 'missing', 0, NEW.size_bytes))
    ON CONFLICT (camera_id) DO UPDATE SET segments = segments + excluded.segments, missing = missing + excluded.missing,
      size_bytes = size_bytes + excluded.size_bytes;
END;
CREATE TRIGGER camera_footage_delete AFTER DELETE ON segment BEGIN
  UPDATE camera_footage SET segments = segments - (OLD.state <> 'missing'), missing = missing - (OLD.state = 'missing'),
    size_bytes = size_bytes - iif(OLD.state = 'missing', 0, OLD.size_bytes) WHERE camera_id = OLD.camera_id;
END;
CREATE TRIGGER camera_footage_update AFTER UPDATE OF camera_id, state, size_bytes ON segment BEGIN
  UPDATE camera_footage SET segments = segments - (OLD.state <> 'missing'), missing = missing - (OLD.state = 'missing'),
    size_bytes = size_bytes - iif(OLD.state = 'missing', 0, OLD.size_bytes) WHERE camera_id = OLD.camera_id;
  INSERT INTO camera_footage (camera_id, segments, missing, size_bytes)
    VALUES (NEW.camera_id, NEW.state <> 'missing', NEW.state = 'missing', iif(NEW.state = 'missing', 0, NEW.size_bytes))
    ON CONFLICT (camera_id) DO UPDATE SET segments = segments + excluded.segments, missing = missing + excluded.missing,
      size_bytes = size_bytes + excluded.size_bytes;
END;
INSERT INTO camera_footage (camera_id, segments, missing, size_bytes)
  SELECT camera_id, count(*) FILTER (WHERE state <> 'missing'), count(*) FILTER (WHERE state = 'missing'),
    coalesce(sum(size_bytes) FILTER (WHERE state <> 'missing'), 0) FROM segment GROUP BY camera_id;
