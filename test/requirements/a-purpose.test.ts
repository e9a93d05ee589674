/** Purpose and policy of each camera: real configuration texts, a real register, and the API over HTTP. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { HoldFacts } from '../../src/domain/hold-facts.js';
import { formatUtc } from '../../src/domain/time.js';
import { decideAudio } from '../../src/cameras/audio-basis.js';
import { applyConfiguredCameras } from '../../src/cameras/register.js';
import { registerFoundCamera } from '../../src/cameras/register-found.js';
import { parseConfig, type Config } from '../../src/config.js';
import { createRequest } from '../../src/disclosure/request.js';
import { placeHold, type HoldInput } from '../../src/disclosure/hold.js';
import { cameraClasses, classRules, gapsOfCamera } from '../../src/domain/camera.js';
import { rights } from '../../src/domain/user.js';
import { applyDueChanges, confirmRetention, proposeConfigured, proposeRetention } from '../../src/retention/policy.js';
import { getCamera, putCamera } from '../../src/store/cameras.js';
import { schemaSql } from '../../src/store/database.js';
import { openChanges } from '../../src/store/retention-changes.js';
import { openTasks } from '../../src/store/tasks.js';
import { serve } from '../api/gateway.js';
import {
  addCamera as addWorldCamera,
  addSegment as addWorldSegment,
  makeWorld,
  noonUs,
  scopeFor,
  seconds,
} from '../helpers/disclosure.js';
import { tempFolder } from '../helpers/site.js';
import { addCamera, day, makeTestStore, type TestStore } from '../helpers/store.js';

const code = (name: string): unknown => expect.objectContaining({ code: name });

function read(cameras: string): Config {
  const folder = tempFolder();
  mkdirSync(join(folder, 'recordings'));
  const text = `site: { name: Main office, timezone: Europe/Copenhagen }
data: ./data
roots: [{ id: nvr1, path: ./recordings, layout: frigate }]
cameras: [${cameras}]
`;
  return parseConfig(text, join(folder, 'gateway.yaml'));
}

/** What the start of the gateway does with the cameras of its configuration. */
function start(made: TestStore, cameras: string): void {
  proposeConfigured(made.retention, applyConfiguredCameras(made.store, read(cameras).cameras).periods);
}

const tasks = (made: TestStore, kind: string): string[] =>
  openTasks(made.db)
    .filter((task) => task.kind === kind)
    .map(({ subject }) => subject);

const described = `{ id: lobby, purpose: theft from the cloakroom, retentionDays: 14, retentionReason: stocktaking is every second week, area: indoors-public, signs: both doors, polcam: registered, audio: true, audioBasis: agreement of 2026-03-01 on threats }`;

describe('A1 each camera has a purpose, a class, an area, its sound, its signs and how it stands with POLCAM', () => {
  test('as the configuration says, in the register and over the API', async () => {
    const world = makeWorld();
    const served = await serve({}, world);
    applyConfiguredCameras(world.store, read(described).cameras);
    const camera = getCamera(world.store.db, 'lobby');
    expect(camera).toMatchObject({
      purpose: 'theft from the cloakroom',
      class: 'crime-prevention',
      audioAllowed: false,
    });
    expect(camera.facts).toEqual({
      area: 'indoors-public',
      signs: 'both doors',
      polcam: 'registered',
      audioBasis: 'agreement of 2026-03-01 on threats',
      audioApprovedBy: null,
    });
    expect(gapsOfCamera(camera)).toEqual([]);
    const lars = await served.login(world.lars);
    const { json } = await lars.call<{ cameras: unknown[] }>('GET', '/api/cameras');
    expect(json.cameras).toMatchObject([
      { cameraId: 'lobby', purpose: 'theft from the cloakroom', facts: camera.facts, missing: [] },
    ]);
  });

  test('one that nobody configured gets crime-prevention, 30 days and a task, and says what is not known of it', () => {
    const made = makeTestStore();
    made.store.act('gateway', (note) => {
      registerFoundCamera(made.store, note, 'yard', 'yard');
    });
    const camera = getCamera(made.db, 'yard');
    expect(camera).toMatchObject({ class: 'crime-prevention', retentionDays: 30, adopted: false, audioAllowed: false });
    expect(tasks(made, 'camera-needs-policy')).toEqual(['camera:yard']);
    expect(gapsOfCamera(camera)).toEqual(['purpose', 'area', 'signs', 'polcam', 'justification']);
  });

  test('what is no area and no status is refused by the configuration and by the database', () => {
    for (const wrong of ['area: street', 'polcam: yes-please', 'signs: ""', 'area: null']) {
      expect(() => read(`{ id: lobby, ${wrong} }`)).toThrow(code('config-invalid'));
    }
    const made = makeTestStore();
    addCamera(made, 'lobby');
    for (const wrong of [`area = 'street'`, `polcam = 'perhaps'`, 'area = NULL', 'polcam = NULL']) {
      expect(() => made.db.exec(`UPDATE camera SET ${wrong}`)).toThrow(/constraint failed/);
    }
  });
});

/** As YAML, as JSON and as SQL: none of them is a number of days from 1 to 30. */
const illegal: [name: string, yaml: string, json: unknown, sql: string][] = [
  ['31', '31', 31, '31'],
  ['zero', '0', 0, '0'],
  ['negative', '-1', -1, '-1'],
  ['null', 'null', null, 'NULL'],
  ['a little over', '30.0001', 30.0001, '30.0001'],
  ['a number beyond all integers', '9.3e18', 9.3e18, '9.3e18'],
  ['2^32 + 30', '4294967326', 4294967326, '4294967326'],
  ['endless', '.inf', 'Infinity', '9e999'],
  ['no number', '.nan', 'NaN', `'NaN'`],
  ['a word', 'unlimited', 'unlimited', `'unlimited'`],
  ['digits as text', '"30 days"', '30 days', `'30 days'`],
  ['nothing as text', '""', '', `''`],
  ['a list', '[30]', [30], `json_array(30)`],
  ['true', 'true', true, `'true'`],
];

describe('A2, A3, rule 6 a period that is none, or above 30 days, is refused', () => {
  test.each(illegal)('%s in the configuration file', (_name, yaml) => {
    for (const kind of ['crime-prevention', 'municipal', 'permit', 'live-only']) {
      expect(() => read(`{ id: lobby, class: ${kind}, retentionDays: ${yaml} }`)).toThrow(code('config-invalid'));
    }
  });

  test.each(illegal)('%s by the database, in the register and in a change', (_name, _yaml, _json, sql) => {
    const made = makeTestStore();
    for (const kind of cameraClasses.filter((name) => classRules[name].maxRetentionDays === 30)) {
      addCamera(made, kind, { class: kind });
      expect(() => made.db.exec(`UPDATE camera SET retention_days = ${sql} WHERE id = '${kind}'`)).toThrow();
      expect(() =>
        made.db
          .exec(`INSERT INTO retention_change (id, camera_id, from_class, from_days, to_class, to_days, reason, proposed_by,
          proposed_us, effective_us) VALUES ('c', '${kind}', '${kind}', 30, '${kind}', ${sql}, 'because of it', 'user:u', 0, 86400000000)`),
      ).toThrow();
      expect(getCamera(made.db, kind).retentionDays).toBe(30);
    }
  });

  test('the boundary itself is allowed everywhere', () => {
    for (const days of [1, 30]) {
      expect(read(`{ id: lobby, retentionDays: ${days} }`).cameras[0]?.retentionDays).toBe(days);
      const made = makeTestStore();
      addCamera(made, 'lobby', { retentionDays: days });
      expect(getCamera(made.db, 'lobby').retentionDays).toBe(days);
    }
  });

  test('over the API, in a proposal and in its preview', async () => {
    const world = makeWorld();
    addWorldCamera(world, 'lobby');
    const served = await serve({}, world);
    const ida = await served.login(world.ida);
    for (const [name, , json] of illegal) {
      const reply = await ida.call('POST', '/api/cameras/lobby/retention', { days: json, reason: 'because I say so' });
      expect([400, 422], name).toContain(reply.status);
      if (typeof json === 'number') {
        expect((await ida.call('GET', `/api/cameras/lobby/retention-preview?days=${json}`)).status, name).toBe(422);
      }
    }
    expect(openChanges(world.store.db)).toEqual([]);
    expect(getCamera(world.store.db, 'lobby').retentionDays).toBe(30);
  });

  test('in what another program would write into the register, also with a class that is none', () => {
    const made = makeTestStore();
    addCamera(made, 'lobby');
    const camera = getCamera(made.db, 'lobby');
    for (const retentionDays of [31, 0, -1, 30.0001, Number.NaN, Number.POSITIVE_INFINITY, Number.MAX_SAFE_INTEGER]) {
      expect(() => {
        putCamera(made.db, { ...camera, retentionDays });
      }).toThrow(code('retention-illegal'));
    }
    expect(() => made.db.exec(`UPDATE camera SET class = 'unlimited'`)).toThrow(/CHECK/);
  });
});

describe('A4 another purpose needs a written period and reason, approved by legal', () => {
  const asked = '{ id: dock, class: other-purpose, retentionDays: 90, retentionReason: quality of loading }';

  test('without a reason the configuration is refused', () => {
    for (const reason of ['', ', retentionReason: ""', ', retentionReason: "  short "']) {
      expect(() => read(`{ id: dock, class: other-purpose, retentionDays: 90${reason} }`)).toThrow(
        code('config-invalid'),
      );
    }
  });

  test('a new camera of that class has the limit of the law until an administrator and legal have said yes', () => {
    const made = makeTestStore();
    start(made, asked);
    expect(getCamera(made.db, 'dock')).toMatchObject({ class: 'crime-prevention', retentionDays: 30 });
    const [change] = openChanges(made.db);
    expect(change).toMatchObject({ proposedBy: 'gateway', to: { class: 'other-purpose', retentionDays: 90 } });
    // No time makes it count, and no start does.
    made.nowUs += 40 * day;
    applyDueChanges(made.retention, made.nowUs);
    start(made, asked);
    expect(getCamera(made.db, 'dock').class).toBe('crime-prevention');
    const id = openChanges(made.db)[0]?.id ?? '';
    const person = (name: string, ...roles: ('admin' | 'legal')[]) => ({ id: name, name, roles, disabledUs: null });
    expect(confirmRetention(made.retention, person('ida', 'admin'), id)).toEqual({ applied: false });
    expect(() => confirmRetention(made.retention, person('per', 'admin'), id)).toThrow(code('forbidden'));
    expect(getCamera(made.db, 'dock').class).toBe('crime-prevention');
    expect(confirmRetention(made.retention, person('lars', 'legal'), id)).toEqual({ applied: true });
    expect(getCamera(made.db, 'dock')).toMatchObject({
      class: 'other-purpose',
      retentionDays: 90,
      retentionReason: 'quality of loading',
    });
    start(made, asked);
    expect(getCamera(made.db, 'dock')).toMatchObject({ class: 'other-purpose', retentionDays: 90 });
    expect(openChanges(made.db)).toEqual([]);
  });
});

describe('A5 a live-only camera', () => {
  test('offers neither export nor hold of what was recorded all the same', () => {
    const world = makeWorld();
    addWorldCamera(world, 'lobby');
    addWorldSegment(world, 'lobby', noonUs);
    world.store.db.exec(`UPDATE camera SET class = 'live-only'`);
    for (const kind of ['police', 'authority', 'person'] as const) {
      const scope = scopeFor({ recipient: { ...scopeFor().recipient, kind } });
      expect(() => createRequest(world.ctx, world.sofie, scope)).toThrow();
    }
    const receivedOn = formatUtc(noonUs).slice(0, 10);
    const every: HoldFacts[] = [
      { ground: 'reported-offence', journalNumber: '0100-1', reportedOn: receivedOn },
      { ground: 'dispute', counterparty: 'A Company', description: 'who drove into the gate' },
      { ground: 'access-request', caseNumber: '26-1', receivedOn },
      { ground: 'complaint', caseNumber: '26-1', receivedOn },
      { ground: 'legal-duty', provision: 'Archives Act § 8' },
    ];
    for (const facts of every) {
      const input: HoldInput = {
        ...{ facts, reason: 'because', wideReason: null, cameraIds: ['lobby'] },
        ...{ startUs: noonUs, endUs: noonUs + seconds(2), reviewUs: world.clock.nowUs() + day },
      };
      expect(() => placeHold(world.ctx, world.lars, input)).toThrow(expect.objectContaining({ code: 'forbidden' }));
    }
    expect(world.store.db.prepare('SELECT count(*) FROM hold').pluck().get()).toBe(0);
    expect(world.store.db.prepare('SELECT count(*) FROM disclosure_request').pluck().get()).toBe(0);
  });
});

test('A6 footage of a camera for the police alone is not handed to anybody else', () => {
  const world = makeWorld();
  addWorldCamera(world, 'lobby');
  addWorldSegment(world, 'lobby', noonUs);
  world.store.db.exec(`UPDATE camera SET class = 'permit'`);
  const forAuthority = scopeFor({
    ground: 'law',
    legalBasis: 'some act, § 1',
    recipient: { ...scopeFor().recipient, kind: 'authority' },
  });
  expect(() => createRequest(world.ctx, world.sofie, forAuthority)).toThrow(/lobby/);
  expect(world.store.db.prepare('SELECT count(*) FROM hold').pluck().get()).toBe(0);
  expect(createRequest(world.ctx, world.sofie, scopeFor()).request.state).toBe('requested');
});

test('A8 more than 72 hours without a written reason is pointed out', () => {
  const lacks = (retentionDays: number, retentionReason: string | null): boolean => {
    const made = makeTestStore();
    addCamera(made, 'lobby', { retentionDays, ...(retentionReason !== null && { retentionReason }) });
    return gapsOfCamera(getCamera(made.db, 'lobby')).includes('justification');
  };
  expect([lacks(3, null), lacks(4, null), lacks(30, '  '), lacks(30, 'thefts are noticed late')]).toEqual([
    false,
    true,
    true,
    false,
  ]);
});

describe('A9 a task to tell POLCAM within 14 days', () => {
  const close = (made: TestStore): void => {
    made.db.prepare(`UPDATE task SET done_us = ? WHERE kind = 'polcam-notice'`).run(made.nowUs);
  };

  test('of a camera that is new, moved, removed, or keeps its footage for another time; once each', () => {
    const made = makeTestStore();
    start(made, '{ id: lobby, area: entrance }');
    expect(openTasks(made.db)).toMatchObject([
      {
        kind: 'polcam-notice',
        subject: 'camera:lobby',
        detail: expect.stringContaining('before 2026-06-29T12:00:00Z') as unknown,
      },
    ]);
    close(made);
    start(made, '{ id: lobby, area: entrance, polcam: registered }');
    expect(tasks(made, 'polcam-notice')).toEqual([]);
    start(made, '{ id: lobby, area: public-ground, polcam: registered }');
    expect(tasks(made, 'polcam-notice')).toEqual(['camera:lobby']);
    close(made);
    const ida = { id: 'ida', name: 'ida', roles: ['admin' as const], disabledUs: null };
    proposeRetention(made.retention, ida, { cameraId: 'lobby', retentionDays: 10, reason: 'less is enough here' });
    expect(tasks(made, 'polcam-notice')).toEqual([]);
    made.nowUs += day;
    applyDueChanges(made.retention, made.nowUs);
    expect(tasks(made, 'polcam-notice')).toEqual(['camera:lobby']);
    close(made);
    start(made, '');
    expect(openTasks(made.db)).toMatchObject([
      { detail: expect.stringContaining('is not in the configuration') as unknown },
    ]);
    close(made);
    start(made, '');
    expect(tasks(made, 'polcam-notice')).toEqual([]);
  });

  test('not of one that need not be registered, nor of a new one that is', () => {
    const made = makeTestStore();
    start(made, '{ id: store, polcam: not-required }, { id: door, polcam: registered, substreams: [door_sub] }');
    start(made, '');
    expect(tasks(made, 'polcam-notice')).toEqual(['camera:door']);
  });
});

describe('A10 sound is off unless legal has approved the written basis of the camera', () => {
  const asks = (basis: string): string => `{ id: lobby, audio: true, audioBasis: ${basis}, substreams: [lobby_sub] }`;
  const lars = { id: 'lars', name: 'lars', roles: ['legal' as const], disabledUs: null };

  test('asking for it without a basis is refused; with one it stays off, and legal has a task', () => {
    for (const wrong of ['', ', audioBasis: ""', ', audioBasis: short']) {
      expect(() => read(`{ id: lobby, audio: true${wrong} }`)).toThrow(code('config-invalid'));
    }
    const made = makeTestStore();
    start(made, asks('threats at the counter'));
    expect(getCamera(made.db, 'lobby').audioAllowed).toBe(false);
    expect(tasks(made, 'audio-basis')).toEqual(['camera:lobby']);
  });

  test('approved it is on for the camera and its streams, until the text is another one or legal takes it back', () => {
    const made = makeTestStore();
    start(made, asks('threats at the counter'));
    for (const role of ['admin', 'security', 'auditor'] as const) {
      expect(() => decideAudio(made, { ...lars, roles: [role] }, 'lobby', true)).toThrow(code('forbidden'));
    }
    decideAudio(made, lars, 'lobby', true);
    const allowed = (): boolean[] => ['lobby', 'lobby_sub'].map((id) => getCamera(made.db, id).audioAllowed);
    expect(allowed()).toEqual([true, true]);
    expect(getCamera(made.db, 'lobby').facts.audioApprovedBy).toBe('user:lars');
    expect(tasks(made, 'audio-basis')).toEqual([]);
    start(made, asks('threats at the counter'));
    expect(allowed()).toEqual([true, true]);
    start(made, asks('something else altogether'));
    expect(allowed()).toEqual([false, false]);
    expect(tasks(made, 'audio-basis')).toEqual(['camera:lobby']);
    decideAudio(made, lars, 'lobby', true);
    decideAudio(made, lars, 'lobby', false);
    expect(allowed()).toEqual([false, false]);
    start(made, asks('something else altogether'));
    expect(allowed()).toEqual([false, false]);
  });

  test('the database itself allows none without basis and approval', () => {
    const made = makeTestStore();
    addCamera(made, 'lobby');
    for (const wrong of [
      'audio_allowed = 1',
      `audio_allowed = 1, audio_approved_by = 'user:lars'`,
      `audio_allowed = 1, audio_basis = 'threats at the counter'`,
      `audio_approved_by = 'user:lars'`,
    ]) {
      expect(() => made.db.exec(`UPDATE camera SET ${wrong}`), wrong).toThrow(/CHECK/);
    }
  });

  test('over the API it is for legal, and a camera without a basis is a conflict', async () => {
    const world = makeWorld();
    const served = await serve({}, world);
    applyConfiguredCameras(world.store, read(`${asks('threats at the counter')}, { id: yard }`).cameras);
    const [lawyer, admin] = [await served.login(world.lars), await served.login(world.ida)];
    expect((await admin.call('POST', '/api/cameras/lobby/audio', { approve: true })).status).toBe(403);
    expect((await lawyer.call('POST', '/api/cameras/yard/audio', { approve: true })).status).toBe(409);
    expect((await lawyer.call('POST', '/api/cameras/lobby/audio', { approve: true })).json).toMatchObject({
      audioAllowed: true,
    });
    expect(rights['camera.audio']).toEqual(['legal']);
  });
});

test('A11 no table has a place for a face template, an embedding or any other feature of a person', () => {
  const columns = schemaSql()
    .replace(/--[^\n]*/g, '')
    .match(/[a-z_0-9]+/gi);
  expect(columns?.length).toBeGreaterThan(500);
  const ofPersons = /face|embed|template|feature|vector|biometr|descriptor|gait|reid|person_id|identity_vector/i;
  expect(columns?.filter((word) => ofPersons.test(word))).toEqual([]);
  // Whatever else is binary: key frames, hashes of the log and the edge of its tree. A vector would have to be one.
  const made = makeTestStore();
  const blobs = made.db
    .prepare(
      `SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND c.type = 'BLOB'
       ORDER BY 1`,
    )
    .pluck()
    .all();
  expect(blobs).toEqual(['audit_event.leaf_hash', 'audit_frontier.peaks', 'key_frames.offsets']);
});
