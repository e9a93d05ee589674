-- What the law wants known of each camera, and what its clock said over time. Sound was allowed by the configuration file alone
-- until now, without a basis that somebody had approved: it is off until legal says so.
UPDATE camera SET audio_allowed = 0;
ALTER TABLE camera ADD COLUMN area TEXT NOT NULL DEFAULT 'unspecified' CHECK (area IN
  ('unspecified', 'indoors', 'indoors-public', 'entrance', 'own-grounds', 'public-ground'));
ALTER TABLE camera ADD COLUMN signs TEXT;
ALTER TABLE camera ADD COLUMN polcam TEXT NOT NULL DEFAULT 'unknown' CHECK (polcam IN ('unknown', 'registered', 'not-required'));
ALTER TABLE camera ADD COLUMN audio_basis TEXT CHECK (audio_allowed = 0 OR length(trim(coalesce(audio_basis, ''))) >= 10);
ALTER TABLE camera ADD COLUMN audio_approved_by TEXT CHECK ((audio_allowed = 1) = (audio_approved_by IS NOT NULL));
CREATE TABLE clock_measurement (
  camera_id TEXT NOT NULL REFERENCES camera (id),
  measured_us INTEGER NOT NULL,
  clock TEXT NOT NULL CHECK (clock IN ('camera', 'recorder')),
  offset_ms INTEGER NOT NULL,
  uncertainty_ms INTEGER NOT NULL CHECK (uncertainty_ms >= 0),
  PRIMARY KEY (camera_id, clock, measured_us)
) STRICT, WITHOUT ROWID;
INSERT INTO clock_measurement (camera_id, measured_us, clock, offset_ms, uncertainty_ms)
  SELECT id, clock_measured_us, 'camera', clock_offset_ms, clock_uncertainty_ms FROM camera
  WHERE clock_measured_us IS NOT NULL AND clock_offset_ms IS NOT NULL AND clock_uncertainty_ms >= 0;
CREATE TABLE receive_clock (
  after_id INTEGER PRIMARY KEY,
  boot_id TEXT,
  wall_us INTEGER NOT NULL,
  uptime_us INTEGER,
  CHECK ((boot_id IS NULL) = (uptime_us IS NULL))
) STRICT;
