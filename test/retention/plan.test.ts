/** What SQLite counts for a plan against the rules themselves, asked for each segment. */
import { expect, test } from 'vitest';
import { fateOf } from '../../src/domain/retention.js';
import { planDeletions } from '../../src/retention/plan.js';
import { listCameras } from '../../src/store/cameras.js';
import { activeHolds } from '../../src/store/holds.js';
import { markMissing, segmentsOfRoot, setSegmentState } from '../../src/store/segments.js';
import { insertRow } from '../helpers/rows.js';
import { addCamera, addHold, addRoot, day, hour, june, makeTestStore } from '../helpers/store.js';

test.each([1, 2, 3])('a plan counts and lists what the rules say of each segment (%i)', (seed) => {
  let state = seed;
  const next = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  const made = makeTestStore();
  const { db } = made;
  const roots = ['nvr', 'attic'];
  for (const root of roots) addRoot(made, root);
  addCamera(made, 'gate');
  addCamera(made, 'yard', { retentionDays: 3 });
  addCamera(made, 'held', { retentionDays: 10 });
  addCamera(made, 'long', { class: 'other-purpose', retentionDays: 90, retentionReason: 'long enough a reason' });
  const cameraIds = ['gate', 'yard', 'held', 'long'];
  db.transaction(() => {
    for (let i = 0; i < 1600; i += 1) {
      const id = insertRow(db, {
        rootId: roots[i % 2] ?? '',
        path: `${i}.mp4`,
        cameraId: cameraIds[Math.floor(next() * 4)] ?? '',
        // Some exactly at a limit.
        startUs: june - Math.floor(next() * 200) * 12 * hour + (i % 3) - 1,
        sizeBytes: 1 + Math.floor(next() * 1e9),
      });
      if (i % 10 === 0) markMissing(db, id, june);
    }
  })();
  addHold(made, { id: 'h', cameras: ['held'], startUs: june - 40 * day, endUs: june - 20 * day });
  addHold(made, { id: 'elsewhere', cameras: ['long'], startUs: june - 400 * day, endUs: june - 300 * day });
  // Begun: it is counted by its intent, of which there is none here.
  const first = [...segmentsOfRoot(db, 'nvr')].find((one) => one.state === 'indexed');
  setSegmentState(db, first?.id ?? 0, 'deleting');

  for (const nowUs of [june, june - day, june + 30 * day, june + 30 * day - 12 * hour - 1]) {
    const wanted = { due: 0, dueBytes: 0, held: 0, late: 0 };
    const policies = new Map(listCameras(db).map((camera) => [camera.cameraId, camera]));
    const due: number[] = [];
    for (const segment of roots.flatMap((root) => [...segmentsOfRoot(db, root)])) {
      const policy = policies.get(segment.cameraId);
      if (segment.state !== 'indexed' || policy === undefined) continue;
      const fate = fateOf(segment, policy, activeHolds(db, nowUs), nowUs, made.retention.marginUs);
      if (fate.verdict === 'held') wanted.held += 1;
      if (fate.verdict !== 'delete') continue;
      due.push(segment.id);
      wanted.due += 1;
      wanted.dueBytes += segment.sizeBytes;
      wanted.late += fate.late ? 1 : 0;
    }
    const plan = planDeletions(made.retention, nowUs);
    expect(plan).toMatchObject(wanted);
    expect(plan.segments).toHaveLength(Math.min(1000, wanted.due));
    expect(plan.notListed).toBe(wanted.due - plan.segments.length);
    for (const listed of plan.segments) {
      expect(due).toContain(listed.segmentId);
      expect(listed.dueUs).toBeLessThanOrEqual(nowUs);
    }
    expect(new Set(plan.segments.map(({ segmentId }) => segmentId)).size).toBe(plan.segments.length);
    if (nowUs === june) expect(Math.min(wanted.held, wanted.late, wanted.due - wanted.late)).toBeGreaterThan(20);
  }
});
