-- A hold says what its ground demands, who of legal agreed, and how it ended. A CHECK can only be changed by building the table anew.
-- Holds from before keep their rows, their dates and their force; they have no facts, and no approval is asked for them any more.
CREATE TABLE hold_new (
  id TEXT PRIMARY KEY,
  ground TEXT NOT NULL CHECK (ground IN
    ('disclosure-request', 'reported-offence', 'dispute', 'access-request', 'complaint', 'legal-duty')),
  facts TEXT,
  reference TEXT NOT NULL CHECK (length(trim(reference)) > 0),
  reason TEXT NOT NULL,
  wide_reason TEXT,
  request_id TEXT REFERENCES disclosure_request (id),
  start_us INTEGER NOT NULL,
  end_us INTEGER NOT NULL,
  placed_as TEXT NOT NULL CHECK (placed_as IN ('security', 'legal', 'request', 'restored', 'upgraded')),
  placed_by TEXT NOT NULL,
  placed_us INTEGER NOT NULL,
  review_us INTEGER NOT NULL,
  review_set_us INTEGER NOT NULL,
  wanted_review_us INTEGER,
  approve_by_us INTEGER,
  approved_us INTEGER,
  approved_by TEXT,
  notify_by_us INTEGER,
  notified_us INTEGER,
  announced_us INTEGER,
  reminded_us INTEGER,
  lifted_us INTEGER,
  lifted_by TEXT,
  outcome TEXT CHECK (outcome IN ('lifted', 'refused', 'expired')),
  orderly INTEGER NOT NULL CHECK (orderly IN (0, 1)),
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
INSERT INTO hold_new (id, ground, reference, reason, request_id, start_us, end_us, placed_as, placed_by, placed_us, review_us,
    review_set_us, lifted_us, lifted_by, outcome, orderly)
  SELECT id, ground, reference, reason, request_id, start_us, end_us, iif(request_id IS NULL, 'upgraded', 'request'), placed_by,
    placed_us, review_us, placed_us, lifted_us, lifted_by, iif(lifted_us IS NULL, NULL, 'lifted'), 0 FROM hold;
DROP TABLE hold;
ALTER TABLE hold_new RENAME TO hold;
CREATE TABLE hold_step (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  hold_id TEXT NOT NULL REFERENCES hold (id) ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN ('approved', 'refused', 'prolonged', 'lifted', 'expired', 'notified', 'copy-requested', 'copy-handed')),
  by_whom TEXT NOT NULL,
  at_us INTEGER NOT NULL,
  facts TEXT NOT NULL CHECK (json_valid(facts))
) STRICT;
CREATE INDEX hold_step_by_hold ON hold_step (hold_id, id);


CREATE TABLE enabled_ground (
  class TEXT NOT NULL CHECK (class IN ('municipal')),
  ground TEXT NOT NULL CHECK (ground IN ('reported-offence', 'dispute', 'legal-duty')),
  reason TEXT NOT NULL CHECK (length(trim(reason)) >= 10),
  enabled_by TEXT NOT NULL,
  enabled_us INTEGER NOT NULL,
  PRIMARY KEY (class, ground)
) STRICT, WITHOUT ROWID;
