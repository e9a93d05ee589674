import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Locator } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keepOldest } from '../../src/retention/oldest-record.js';
import type { CameraOnDisk } from '../../src/retention/oldest.js';
import { getCamera, putCamera } from '../../src/store/cameras.js';
import { insertIntent, noteFailure } from '../../src/store/deletions.js';
import { insertHold } from '../../src/store/holds.js';
import { putQuarantine } from '../../src/store/quarantine.js';
import { markMissing, setSegmentState } from '../../src/store/segments.js';
import { openTask, openTasks } from '../../src/store/tasks.js';
import { serve } from '../api/gateway.js';
import { holdRow } from '../helpers/holds.js';
import { addCamera, addSegment, makeWorld, seconds, type World } from '../helpers/disclosure.js';
import { expectAccessible, expectNoSidewaysScroll, hasChromium, launch, picture, webDir } from './chromium.js';
import { visit } from './visit.js';

const days = (count: number): number => seconds(count * 86_400);
const hours = (count: number): number => seconds(count * 3_600);
/** As it is read: the offset stands behind its time with a space that does not break. */
const textOf = async (shown: Locator): Promise<string> => (await shown.innerText()).replaceAll('\u00a0', ' ');

function emptySite(instant = '2026-06-01T12:00:00Z'): World {
  const world = makeWorld({}, instant);
  world.store.db.prepare('UPDATE root SET identity = ?').run(statSync(world.root, { bigint: true }).ino.toString());
  return world;
}

const change = (world: World, id: string, policy: Partial<ReturnType<typeof getCamera>>): void => {
  putCamera(world.store.db, { ...getCamera(world.store.db, id), ...policy });
};

const hour = (world: World, camera: string, ageUs: number): { id: number; file: string } =>
  addSegment(world, camera, world.clock.nowUs() - ageUs, { seconds: 3600 });

const onDisk = (
  world: World,
  cameraId: string | null,
  ageUs: number,
  more: Partial<CameraOnDisk> = {},
): CameraOnDisk => {
  const startUs = world.clock.nowUs() - ageUs;
  const [dueUs, legalUs] = [startUs + days(29.5), startUs + days(30)];
  return {
    ...{ cameraId, files: 3, oldestHeld: null, held: 0, overLimit: 0, due: 0, notIndexed: 0 },
    oldest: { rootId: 'nvr', path: 'x.mp4', startUs, source: 'name', dueUs, legalUs, leftUs: days(30) - ageUs },
    ...more,
  };
};

/** Every state at once. The lobby has five hours that were not swept for four days. */
async function busySite(): Promise<World & { lobby: string[] }> {
  const world = emptySite();
  for (const id of ['lobby', 'gate', 'yard', 'garage', 'office', 'store']) addCamera(world, id);
  change(world, 'lobby', { label: 'Hovedindgang' });
  change(world, 'garage', { label: 'Parkeringskælder, nedkørsel mod Ærøgade', class: 'live-only' });
  change(world, 'office', { label: 'Reception', retentionDays: 14 });
  const lobby = [0, 1, 2, 3, 4].map((index) => hour(world, 'lobby', days(33) - hours(index)).file);
  hour(world, 'lobby', hours(3));
  for (const age of [29.1, 12, 4]) hour(world, 'gate', days(age));
  hour(world, 'yard', days(31));
  hour(world, 'yard', days(8));
  hour(world, 'garage', days(2));
  hour(world, 'office', days(13.2));
  markMissing(world.store.db, hour(world, 'office', days(3)).id, world.clock.nowUs());
  const failing = hour(world, 'store', days(29.7));
  const nowUs = world.clock.nowUs();
  const held = { startUs: nowUs - days(31), endUs: nowUs - days(30) };
  insertHold(world.store.db, holdRow({ id: 'h-1', cameraIds: ['yard'], ...held, placedUs: nowUs }));
  putQuarantine(world.store.db, {
    ...{ rootId: 'nvr', path: 'gate/broken.mp4', reason: 'unreadable', detail: 'no frame in it', cameraId: 'gate' },
    ...{ boundUs: nowUs - days(1), sizeBytes: 1, inode: '1', mtimeUs: nowUs, firstSeenUs: nowUs },
  });
  setSegmentState(world.store.db, failing.id, 'deleting');
  const startUs = nowUs - days(29.7);
  const on = statSync(failing.file, { bigint: true });
  const intent = insertIntent(world.store.db, {
    ...{
      segmentId: failing.id,
      cameraId: 'store',
      startUs,
      endUs: startUs + hours(1),
      sizeBytes: Number(on.size),
      inode: String(on.ino),
    },
    ...{ ruleId: 'class-limit/1', dueUs: startUs + days(29.5), intendedUs: nowUs },
  });
  noteFailure(world.store.db, intent, 'EROFS: read-only file system');
  await keepOldest(world.store, hours(12), {
    ...{ atUs: nowUs, ok: false, findings: [], copies: [], problems: [] },
    cameras: [
      onDisk(world, 'gate', days(29.1)),
      onDisk(world, 'office', days(13.2)),
      onDisk(world, 'lobby', days(33), { overLimit: 5, due: 5 }),
      onDisk(world, 'yard', days(8), { held: 1 }),
      onDisk(world, null, days(5), { files: 2, notIndexed: 2 }),
    ],
  });
  openTask(world.store.db, {
    ...{ kind: 'camera-needs-policy', subject: 'camera:garage', createdUs: nowUs - days(1) },
    detail: 'Camera "garage" was found by itself: choose its class and retention.',
  });
  return { ...world, lobby };
}

describe.skipIf(!hasChromium)('the page of retention', () => {
  let browser: Browser;
  beforeAll(async () => {
    if (!existsSync(join(webDir, 'index.html'))) throw new Error('dist/web is not built: run "npm run build"');
    browser = await launch();
  });
  afterAll(async () => {
    await (browser as Browser | undefined)?.close();
  });

  test('the first figure, each camera in its state, and what the states mean, wide and narrow, in both languages', async () => {
    const world = await busySite();
    const served = await serve({ webDir }, world);
    const { page, troubles } = await visit(browser, served, { name: world.ida.name, at: '#/retention' });
    const figure = page.getByRole('region', { name: 'Oldest frame on disk' });
    await figure.waitFor();
    expect(await textOf(figure)).toMatch(/33 d\s+of 30 d/);
    expect(await textOf(figure)).toContain('Hovedindgang');
    expect(await textOf(figure)).toContain('1 Jun 2026, 14:00 +02:00');
    expect(await textOf(figure)).toContain('2 files of which nobody knows the camera');
    const row = (name: string): Promise<string> =>
      page
        .getByRole('region', { name: /By camera|Kamera for kamera/ })
        .getByRole('row')
        .filter({ hasText: name })
        .innerText();
    expect(await row('Hovedindgang')).toContain('Past the legal limit');
    expect(await row('Camera gate')).toContain('On disk 29 d 2 h of 30 d');
    expect(await row('Camera gate')).toContain('1 file set aside');
    expect(await row('Camera yard')).toContain('1 file held beyond its time');
    expect(await row('Parkeringskælder')).toContain('Must not record, and has footage');
    expect(await row('Reception')).toContain('1 file missing');
    expect(await row('Reception')).toContain('13 d 4 h of 14 d');
    expect(await row('Camera store')).toContain('1 file cannot be deleted');
    const sweep = page.getByRole('region', { name: 'The last sweep' });
    expect(await textOf(sweep)).toContain('7 h 12 min left until the legal limit');
    expect(await page.getByRole('region', { name: 'What each state means' }).getByRole('row').count()).toBe(10);
    await expectAccessible(page);
    await picture(page, 'retention');

    await page.setViewportSize({ width: 360, height: 740 });
    await page.getByLabel('Language').selectOption('da');
    await page.getByRole('heading', { name: 'Opbevaring og sletning' }).waitFor();
    expect(await row('Camera yard')).toContain('1 fil tilbageholdt ud over sin tid');
    await expectNoSidewaysScroll(page);
    await expectAccessible(page);
    await picture(page, 'retention-360-da');
    await page.setViewportSize({ width: 1280, height: 800 });
    await picture(page, 'retention-da');
    expect(troubles).toEqual([]);
  });

  test('a deletion that waits is confirmed by two, and then the files are gone', async () => {
    const world = await busySite();
    const served = await serve({ webDir }, world);
    await served.sweep();
    world.clock.us += days(1);
    await served.sweep();
    const first = await visit(browser, served, { name: world.lars.name, at: '#/retention' });
    const waits = first.page.getByRole('region', { name: 'A deletion waits for two persons' });
    await waits.waitFor();
    expect(await textOf(waits)).toMatch(/5 files\s+5 h/);
    expect(await textOf(waits)).toContain('Nobody has confirmed it yet');
    await expectAccessible(first.page);
    await picture(first.page, 'waiting');
    await waits.getByRole('button', { name: /^Confirm deletion of 5 files/ }).focus();
    await first.page.keyboard.press('Enter');
    await first.page.getByText('Exactly what is listed here').waitFor();
    // The question has the focus; the next stop is its answer.
    await first.page.keyboard.press('Tab');
    await first.page.keyboard.press('Enter');
    await first.page.getByText(/You have said yes. The second yes has to come from another person/).waitFor();
    expect(await waits.getByRole('button', { name: /^Confirm deletion/ }).count()).toBe(0);
    await expectAccessible(first.page);
    await picture(first.page, 'waiting-first');
    expect((await served.sweep()).deleted).toBe(0);

    const second = await visit(browser, served, { name: world.ida.name, at: '#/retention' }, { locale: 'da-DK' });
    const venter = second.page.getByRole('region', { name: 'En sletning venter på to personer' });
    await venter.getByText(`${world.lars.name} sagde ja`).waitFor();
    await venter.getByRole('button', { name: /^Bekræft sletning af 5 filer \(5 t\)/ }).click();
    await picture(second.page, 'waiting-second-da');
    await second.page.getByRole('button', { name: 'Ja, gør det' }).click();
    await second.page.getByRole('region', { name: 'En sletning er bekræftet' }).waitFor();
    await expectAccessible(second.page);
    await picture(second.page, 'waiting-confirmed-da');
    expect(world.lobby.every((file) => existsSync(file))).toBe(true);
    expect((await served.sweep()).deleted).toBeGreaterThanOrEqual(5);
    expect(world.lobby.some((file) => existsSync(file))).toBe(false);
    expect(served.events().filter(({ type }) => type === 'retention.confirmed')).toMatchObject([
      { actor: 'user:u-lars', data: { complete: false } },
      { actor: 'user:u-ida', data: { complete: true } },
    ]);
    await second.page.reload();
    await second.page.getByRole('region', { name: 'Seneste sletning' }).waitFor();
    expect(await second.page.getByRole('region', { name: 'En sletning er bekræftet' }).count()).toBe(0);
    expect([...first.troubles, ...second.troubles]).toEqual([]);
  });

  test('who would be the second without an administrator among the two has no button, and is told why', async () => {
    const world = await busySite();
    const served = await serve({ webDir }, world);
    const waiting = (await served.sweep()).waiting?.id ?? '';
    const lars = await served.login(world.lars);
    expect((await lars.call('POST', `/api/retention/waiting/${waiting}/confirm`, {})).status).toBe(200);
    const { page, troubles } = await visit(browser, served, { name: world.sofie.name, at: '#/retention' });
    await page.getByText('One of the two has to be an administrator. Ask one').waitFor();
    expect(await page.getByRole('button', { name: /^Confirm deletion/ }).count()).toBe(0);
    expect(troubles).toEqual([]);
  });

  test('what was seen and is so no more is refused in words', async () => {
    const world = await busySite();
    const served = await serve({ webDir }, world);
    await served.sweep();
    const { page } = await visit(browser, served, { name: world.lars.name, at: '#/retention' });
    await page.getByRole('button', { name: /^Confirm deletion of 5 files/ }).click();
    hour(world, 'lobby', days(34));
    await served.sweep();
    await page.getByRole('button', { name: 'Yes, do it' }).click();
    const alert = page.getByRole('alert');
    await alert.waitFor();
    expect(await textOf(alert)).toContain('Something else would be deleted by now.');
    await page.getByRole('button', { name: /^Confirm deletion of 6 files/ }).waitFor();
    await expectAccessible(page);
    await picture(page, 'waiting-void');
    expect(served.events().some(({ type }) => type === 'retention.confirmed')).toBe(false);
  });

  test('after an outage the catch-up says from when to when nothing was swept', async () => {
    const world = emptySite();
    addCamera(world, 'lobby');
    for (let index = 0; index < 96; index += 1) hour(world, 'lobby', days(29) - hours(index / 2));
    const served = await serve({ webDir }, world);
    await served.sweep();
    world.clock.us += days(2);
    await served.sweep();
    const { page } = await visit(browser, served, { name: world.ida.name, at: '#/retention' });
    await page.getByText('Nothing was deleted from 1 Jun 2026, 14:00 +02:00 to 3 Jun 2026').waitFor();
    await picture(page, 'catch-up');
  });

  test('a clock in doubt is accepted by two, and then the next sweep deletes', async () => {
    const world = emptySite();
    addCamera(world, 'lobby');
    const { file } = hour(world, 'lobby', days(29.6));
    const served = await serve({ webDir }, world);
    world.clock.us += days(10);
    world.store.act('gateway', (note) => {
      note('gateway.started', 'gateway', {});
    });
    world.clock.us -= days(10);
    await served.sweep();
    const first = await visit(browser, served, { name: world.lars.name, at: '#/retention' });
    const clock = first.page.getByRole('region', { name: 'The clock' });
    await clock.getByText('In doubt: nothing is deleted').waitFor();
    expect(await textOf(clock)).toContain('The log already has something from 11 Jun 2026, 14:00 +02:00');
    await clock.getByRole('button', { name: 'The clock is right now' }).click();
    await clock.getByText('Compare it with another clock').waitFor();
    await expectAccessible(first.page);
    await picture(first.page, 'clock');
    await clock.getByRole('button', { name: 'Yes, do it' }).click();
    await clock.getByText('You have said yes.').waitFor();
    await picture(first.page, 'clock-first');
    expect(await served.sweep()).toMatchObject({ deleted: 0 });

    const second = await visit(browser, served, { name: world.ida.name, at: '#/retention' }, { locale: 'da-DK' });
    await second.page.setViewportSize({ width: 360, height: 740 });
    const uret = second.page.getByRole('region', { name: 'Uret' });
    await uret.getByText(`${world.lars.name} sagde ja`).waitFor();
    await uret.getByRole('button', { name: 'Uret går rigtigt nu' }).click();
    await expectNoSidewaysScroll(second.page);
    await picture(second.page, 'clock-360-da');
    await uret.getByRole('button', { name: 'Ja, gør det' }).click();
    await uret.getByText('Uret er godkendt. Næste kørsel sletter igen.').waitFor();
    await uret.getByText('Pålideligt').waitFor();
    await expectAccessible(second.page);
    expect(await served.sweep()).toMatchObject({ deleted: 1, refused: null });
    expect(existsSync(file)).toBe(false);
    expect([...first.troubles, ...second.troubles]).toEqual([]);
  });

  test('a shorter period is shown, proposed and cancelled; a longer one is confirmed by another person', async () => {
    const world = emptySite();
    addCamera(world, 'lobby');
    for (const age of [20, 12, 11, 1]) hour(world, 'lobby', days(age));
    const nowUs = world.clock.nowUs();
    const held = { startUs: nowUs - days(20), endUs: nowUs - days(19) };
    insertHold(world.store.db, holdRow({ id: 'h-1', cameraIds: ['lobby'], ...held, placedUs: nowUs }));
    const served = await serve({ webDir }, world);
    const waiting = (): unknown[] =>
      world.store.db.prepare('SELECT to_days, outcome FROM retention_change ORDER BY proposed_us, rowid').all();
    const admin = await visit(browser, served, { name: world.ida.name, at: '#/retention/changes' });
    const { page } = admin;
    await page.getByText('No change waits.').waitFor();
    await page.getByRole('button', { name: 'Propose' }).click();
    await page.getByText('This is needed.').waitFor();
    await expectAccessible(page);
    const form = page.getByRole('form', { name: 'Propose another period' });
    await form.getByRole('textbox', { name: 'Camera' }).click();
    await page.getByRole('option', { name: 'Camera lobby (now 30 days)' }).click();
    await form.getByLabel('Days').fill('31');
    await page.getByText('Write a whole number from 1 to 30.').waitFor();
    await expectAccessible(page);
    await picture(page, 'propose-31');
    await form.getByLabel('Days').fill('10');
    await form.getByText(/2 files \(2 h, 10[.\d]* kB\) that would be kept otherwise/).waitFor();
    await form.getByText('1 more file is under a hold, and stays').waitFor();
    await form.getByLabel('Reason').fill('Nobody asked after ten days.');
    await expectAccessible(page);
    await picture(page, 'propose');
    await form.getByRole('button', { name: 'Propose' }).click();
    await page.getByText('30 to 10 days: shorter').waitFor();
    await page.getByText('(in 24 h)').waitFor();
    await expectAccessible(page);
    await picture(page, 'change-shorter');
    expect(waiting()).toEqual([{ to_days: 10, outcome: null }]);
    await page.getByRole('button', { name: 'Cancel the change' }).click();
    await page.getByText('The period in force stays.').waitFor();
    await page.getByRole('button', { name: 'Yes, do it' }).click();
    await page.getByText('The change is cancelled.').waitFor();
    await page.getByText('No change waits.').waitFor();
    expect(waiting()).toEqual([{ to_days: 10, outcome: 'cancelled' }]);

    world.store.db.prepare('UPDATE camera SET retention_days = 14').run();
    await page.reload();
    await form.getByRole('textbox', { name: 'Camera' }).click();
    await page.getByRole('option', { name: 'Camera lobby (now 14 days)' }).click();
    await form.getByLabel('Days').fill('20');
    await form.getByText('so a second person has to confirm it').waitFor();
    await form.getByLabel('Reason').fill('Burglaries are noticed late.');
    await form.getByRole('button', { name: 'Propose' }).click();
    await page.getByText('You proposed it: another person').waitFor();
    expect(await page.getByRole('button', { name: 'Confirm the longer period' }).count()).toBe(0);

    const legal = await visit(
      browser,
      served,
      { name: world.lars.name, at: '#/retention/changes' },
      { locale: 'da-DK' },
    );
    await legal.page.getByText('14 til 20 døgn: længere').waitFor();
    expect(await legal.page.getByText('Foreslå en anden opbevaringsfrist').count()).toBe(0);
    await expectAccessible(legal.page);
    await picture(legal.page, 'change-longer-da');
    await legal.page.getByRole('button', { name: 'Bekræft den længere frist' }).click();
    await legal.page.getByText('Den længere frist gælder fra nu af.').waitFor();
    expect(getCamera(world.store.db, 'lobby').retentionDays).toBe(20);
    await page.setViewportSize({ width: 360, height: 740 });
    await expectNoSidewaysScroll(page);
    await picture(page, 'changes-360');
    expect([...admin.troubles, ...legal.troubles]).toEqual([]);
  });

  test('a monthly report is made, checked and fetched in both languages', async () => {
    const world = emptySite('2026-04-10T12:00:00Z');
    addCamera(world, 'lobby');
    world.clock.us = Date.parse('2026-06-15T12:00:00Z') * 1000;
    const served = await serve({ webDir }, world);
    const { page, troubles } = await visit(browser, served, { name: world.lars.name, at: '#/retention/reports' });
    await page.getByText('No report has been made yet.').waitFor();
    await expectAccessible(page);
    await picture(page, 'reports-none');
    await page.getByRole('button', { name: 'Make report: May 2026' }).click();
    await page.getByText('The report of May 2026 is made.').waitFor({ timeout: 60_000 });
    await page.getByRole('button', { name: 'Make report: April 2026' }).waitFor();
    await page.getByRole('button', { name: 'Check: May 2026' }).click();
    await page.getByText('Genuine and unchanged').waitFor();
    await expectAccessible(page);
    await picture(page, 'reports');
    for (const [name, file] of [
      ['PDF in Danish, May 2026', '2026-05-report.da.pdf'],
      ['PDF in English, May 2026', '2026-05-report.en.pdf'],
      ['JSON, May 2026', '2026-05-report.json'],
    ] as const) {
      const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name }).click()]);
      expect(download.suggestedFilename()).toBe(file);
      expect(await download.failure()).toBeNull();
    }
    await page.setViewportSize({ width: 360, height: 740 });
    await page.getByLabel('Language').selectOption('da');
    await page.getByText('Ægte og uændret').waitFor();
    await expectNoSidewaysScroll(page);
    await expectAccessible(page);
    await picture(page, 'reports-360-da');
    const security = await visit(browser, served, { name: world.sofie.name, at: '#/retention/reports' });
    await security.page.getByRole('heading', { name: 'There is no such page.' }).waitFor();
    expect([...troubles, ...security.troubles]).toEqual([]);
  });

  test('a task is done by a press; one that is decided elsewhere on the page has none', async () => {
    const world = await busySite();
    const served = await serve({ webDir }, world);
    await served.sweep();
    const { page, troubles } = await visit(browser, served, { name: world.lars.name, at: '#/retention' });
    const tasks = page.getByRole('region', { name: 'To do' });
    await tasks.getByText('Ends once it is decided on this page.').waitFor();
    expect(await tasks.getByRole('button', { name: 'Done: A deletion waits for two persons' }).count()).toBe(0);
    await tasks.getByRole('button', { name: /^Done: A new camera needs its class and period: Parkerings/ }).click();
    await tasks.getByText(/A new camera needs its class and period/).waitFor({ state: 'detached' });
    expect(openTasks(world.store.db).some(({ kind }) => kind === 'camera-needs-policy')).toBe(false);
    expect(served.events().at(-1)).toMatchObject({ type: 'task.closed', actor: 'user:u-lars' });
    const security = await visit(browser, served, { name: world.sofie.name, at: '#/retention' });
    await security.page.getByRole('region', { name: 'To do' }).waitFor();
    expect(await security.page.getByRole('button', { name: /^Done:/ }).count()).toBe(0);
    expect([...troubles, ...security.troubles]).toEqual([]);
  });

  test('without a camera, while it loads, and where the gateway fails', async () => {
    const world = emptySite();
    const served = await serve({ webDir }, world);
    const { page } = await visit(browser, served, { name: world.ida.name, at: '#/cameras' });
    await page.getByRole('heading', { name: 'Cameras' }).waitFor();
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    await page.route('**/api/retention/overview', async (route) => {
      await held;
      await route.continue();
    });
    await page.evaluate('location.hash = "#/retention"');
    await page.getByText('Loading…').waitFor();
    await expectAccessible(page);
    await picture(page, 'retention-loading');
    release();
    await page.getByText('No camera is registered yet.').waitFor();
    await page.getByText('No sweep has come to its end yet.').waitFor();
    await expectAccessible(page);
    await picture(page, 'retention-empty');
    await page.unroute('**/api/retention/overview');
    await page.route('**/api/retention/overview', (route) =>
      route.fulfill({
        status: 500,
        json: { error: { code: 'internal', message: 'Something failed inside.', id: 'x' } },
      }),
    );
    await page.reload();
    await page.getByRole('alert').waitFor();
    await expectAccessible(page);
    await picture(page, 'retention-error');
    await page.unroute('**/api/retention/overview');
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText('No sweep has come to its end yet.').waitFor();
  });
});
