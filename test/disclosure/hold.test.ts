import { describe, expect, it } from 'vitest';
import { lift, placeHold, type HoldInput } from '../../src/disclosure/hold.js';
import { cameraClasses, defaultPolicy, type CameraClass } from '../../src/domain/camera.js';
import type { HoldGround } from '../../src/domain/hold.js';
import type { Role, User } from '../../src/domain/user.js';
import { noDevice, putCamera } from '../../src/store/cameras.js';
import { putRoot } from '../../src/store/roots.js';
import { insertSegment } from '../../src/store/segment-inserts.js';
import { openTasks } from '../../src/store/tasks.js';
import { makeTestStore, type TestStore } from '../helpers/site.js';

const hourUs = 3_600_000_000;
const user = (role: Role): User => ({ id: `u-${role}`, name: role, roles: [role], disabledUs: null });

/** A camera of a class with one segment of ten minutes, an hour ago. */
function siteWith(
  cameraClass: CameraClass = 'crime-prevention',
): TestStore & { input: (ground: HoldGround) => HoldInput } {
  const site = makeTestStore('2026-06-01T12:00:00Z');
  const { store, clock } = site;
  const startUs = clock.us - hourUs;
  store.act('gateway', (note) => {
    putRoot(store.db, { id: 'nvr', path: '/nowhere', identity: '1', firstSeenUs: startUs });
    putCamera(store.db, {
      cameraId: 'gate',
      label: 'gate',
      ...defaultPolicy,
      class: cameraClass,
      retentionReason: 'counting visitors for the fire plan',
      purpose: 'test',
      audioAllowed: false,
      origin: 'config',
      adopted: true,
      device: noDevice,
      clock: null,
      createdUs: startUs,
    });
    insertSegment(store.db, {
      rootId: 'nvr',
      path: 'a.mp4',
      cameraId: 'gate',
      startUs,
      endUs: startUs + hourUs / 6,
      timeSource: 'name-utc',
      timeQuality: 'single',
      timeDisagreementMs: null,
      sizeBytes: 1,
      inode: '1',
      mtimeUs: startUs,
      container: 'mp4',
      codec: 'h264',
      width: 16,
      height: 16,
      frameRate: 10,
      hasAudio: false,
      truncated: false,
      firstSeenUs: startUs,
    });
    note('camera.registered', 'camera:gate', {});
  });
  const input = (ground: HoldGround): HoldInput => ({
    ground,
    reference: '0100-1',
    reason: 'because',
    cameraIds: ['gate'],
    startUs,
    endUs: startUs + hourUs / 6,
    reviewUs: clock.us + 30 * 24 * hourUs,
  });
  return { ...site, input };
}

describe('placeHold', () => {
  const grounds: HoldGround[] = ['reported-offence', 'dispute', 'access-request', 'complaint', 'legal-duty'];
  it.each(cameraClasses)('knows the grounds of class %s', (cameraClass) => {
    const refused = grounds.filter((ground) => {
      const { store, input } = siteWith(cameraClass);
      try {
        placeHold({ store }, user('legal'), input(ground));
        return false;
      } catch (error) {
        expect(error).toMatchObject({ code: 'forbidden' });
        return true;
      }
    });
    const expected: Partial<Record<CameraClass, HoldGround[]>> = {
      municipal: ['reported-offence', 'dispute'],
      'live-only': grounds,
    };
    expect(refused).toEqual(expected[cameraClass] ?? []);
  });

  it('in a dispute gives the task to tell the other party, with its deadline', () => {
    const { store, input } = siteWith();
    placeHold({ store }, user('legal'), input('dispute'));
    expect(openTasks(store.db).map(({ kind, detail }) => `${kind}: ${detail}`)).toEqual([
      expect.stringContaining('tell-the-other-party: Tell the other party of the dispute before 2026-07-01T11:00:00'),
    ]);
  });

  it('is for legal alone, says when nothing is left, and ends once', () => {
    const { store, input } = siteWith();
    expect(() => placeHold({ store }, user('security'), input('complaint'))).toThrow(/role legal/);
    const nothing = { ...input('complaint'), startUs: 1, endUs: 2 };
    expect(() => placeHold({ store }, user('legal'), nothing)).toThrow(/There is no footage/);
    const { hold } = placeHold({ store }, user('legal'), input('complaint'));
    expect(lift({ store }, user('legal'), hold.id).liftedUs).not.toBeNull();
    expect(() => lift({ store }, user('legal'), hold.id)).toThrow(/lifted before/);
  });
});
