-- A sweep is held against the sweeps before it, and what only two persons may say waits for both of them.
CREATE TABLE sweep_history (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  camera_id TEXT NOT NULL REFERENCES camera (id),
  swept_us INTEGER NOT NULL,
  segments INTEGER NOT NULL CHECK (segments > 0),
  footage_us INTEGER NOT NULL CHECK (footage_us >= 0)
) STRICT;
CREATE INDEX sweep_history_by_camera ON sweep_history (camera_id, id);
CREATE TABLE proposal (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('mass-deletion', 'accept-clock')),
  opened_us INTEGER NOT NULL,
  shown TEXT NOT NULL,
  ended_us INTEGER,
  outcome TEXT CHECK (outcome IN ('carried-out', 'replaced', 'not-needed')),
  CHECK ((ended_us IS NULL) = (outcome IS NULL))
) STRICT;
CREATE UNIQUE INDEX proposal_open ON proposal (kind) WHERE ended_us IS NULL;
CREATE TABLE proposal_vote (
  proposal_id TEXT NOT NULL REFERENCES proposal (id),
  user_id TEXT NOT NULL REFERENCES user (id),
  at_us INTEGER NOT NULL,
  PRIMARY KEY (proposal_id, user_id)
) STRICT, WITHOUT ROWID;
