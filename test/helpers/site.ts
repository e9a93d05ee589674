/** A gateway's parts on a real database and real folders, with a clock that a test can move. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Clock } from '../../src/platform/clock.js';
import { makeStore, type Store } from '../../src/store/audit-log.js';
import { openDatabase } from '../../src/store/database.js';

/** A folder that goes when the test is over. */
export function tempFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'tredive-test-'));
  onTestFinished(() => {
    rmSync(path, { recursive: true, force: true });
  });
  return path;
}

export interface MovableClock extends Clock {
  us: number;
}

export function clockAt(instant: string): MovableClock {
  const clock: MovableClock = {
    us: Date.parse(instant) * 1000,
    nowUs: () => clock.us,
    monotonicMs: () => performance.now(),
  };
  return clock;
}

export interface TestStore {
  readonly store: Store;
  readonly dataDir: string;
  readonly databaseFile: string;
  readonly clock: MovableClock;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** An empty store in a folder of its own. */
export function makeTestStore(instant = '2026-06-01T12:00:00Z'): TestStore {
  const dataDir = join(tempFolder(), 'data');
  mkdirSync(dataDir);
  const databaseFile = join(dataDir, 'tredive.db');
  const db = openDatabase(databaseFile);
  onTestFinished(() => {
    db.close();
  });
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const clock = clockAt(instant);
  const store = makeStore(db, clock, { origin: 'tredive/test', privateKey });
  return { store, dataDir, databaseFile, clock, publicKey, privateKey };
}
