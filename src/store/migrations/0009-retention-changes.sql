-- A period that is changed does not count at once.
CREATE TABLE retention_change (
  id TEXT PRIMARY KEY,
  camera_id TEXT NOT NULL REFERENCES camera (id),
  from_class TEXT NOT NULL,
  from_days INTEGER NOT NULL,
  from_reason TEXT,
  to_class TEXT NOT NULL CHECK (to_class IN ('crime-prevention', 'municipal', 'permit', 'live-only', 'other-purpose')),
  to_days INTEGER NOT NULL,
  to_reason TEXT,
  reason TEXT NOT NULL CHECK (length(trim(reason)) > 0),
  proposed_by TEXT NOT NULL,
  proposed_us INTEGER NOT NULL,
  effective_us INTEGER,
  ended_us INTEGER,
  ended_by TEXT,
  outcome TEXT CHECK (outcome IN ('applied', 'cancelled', 'replaced')),
  CHECK (to_days BETWEEN 1 AND CASE to_class WHEN 'other-purpose' THEN 365 ELSE 30 END),
  CHECK (to_class <> 'other-purpose' OR length(trim(coalesce(to_reason, ''))) >= 10),
  CHECK (to_days > from_days OR effective_us >= proposed_us + 86400000000),
  CHECK (to_days <= from_days OR coalesce(outcome, '') <> 'applied' OR ended_by <> proposed_by),
  CHECK ((ended_us IS NULL) = (outcome IS NULL)),
  CHECK ((ended_us IS NULL) = (ended_by IS NULL))
) STRICT;
CREATE UNIQUE INDEX retention_change_open ON retention_change (camera_id) WHERE ended_us IS NULL;
CREATE TABLE configured_period (
  camera_id TEXT PRIMARY KEY REFERENCES camera (id),
  class TEXT NOT NULL,
  days INTEGER NOT NULL
) STRICT;
INSERT INTO configured_period (camera_id, class, days) SELECT id, class, retention_days FROM camera WHERE origin = 'config';
