/** Rows of the index without files. */
import type { Segment } from '../../src/domain/segment.js';
import type { Database } from '../../src/store/database.js';
import { insertSegment } from '../../src/store/segment-inserts.js';
import { june } from './store.js';

type NewRow = Omit<Segment, 'id' | 'state'>;

/** A minute of a camera, with what a test says otherwise. */
export const someRow = (row: Partial<NewRow> & { path: string }): NewRow => ({
  rootId: 'nvr',
  cameraId: 'gate',
  startUs: june,
  endUs: (row.startUs ?? june) + 60_000_000,
  timeSource: 'name-utc',
  timeQuality: 'agreed',
  timeDisagreementMs: null,
  sizeBytes: 1000,
  inode: '1',
  mtimeUs: june + 61_000_000,
  container: 'mp4',
  codec: 'h264',
  width: 640,
  height: 360,
  frameRate: 25,
  hasAudio: false,
  truncated: false,
  firstSeenUs: june + 70_000_000,
  ...row,
});

export const insertRow = (db: Database, row: Partial<NewRow> & { path: string }): number =>
  insertSegment(db, someRow(row));
