import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { insertHold } from '../../src/store/holds.js';
import { noDevice, putCamera } from '../../src/store/cameras.js';
import { markMissing } from '../../src/store/segments.js';
import { openTask } from '../../src/store/tasks.js';
import { password, serve, type Served } from '../api/gateway.js';
import { makeClip } from '../helpers/clip.js';
import { putSubstream } from '../../src/store/substreams.js';
import { addCamera, addSegment, makeWorld, noonUs, quickRedactor, seconds, type World } from '../helpers/disclosure.js';
import { holdRow } from '../helpers/holds.js';
import { tempFolder } from '../helpers/site.js';
import { expectAccessible, expectNoSidewaysScroll, hasChromium, launch, picture, webDir } from './chromium.js';

const days = (count: number): number => seconds(count * 86_400);

/** Cameras in every state that there is. */
async function site(): Promise<World> {
  const world = makeWorld({ redactor: quickRedactor({ uncertain: true }) }, '2026-10-26T12:00:00Z');
  const nowUs = world.clock.nowUs();
  const clip = await makeClip(join(tempFolder(), 'clip.mp4'), { audio: true });
  for (const id of ['lobby', 'gate', 'yard', 'store']) addCamera(world, id);
  putCamera(world.store.db, {
    cameraId: 'car-park',
    label: 'Parkeringskælder, nedkørsel mod Ærøgade',
    class: 'municipal',
    retentionDays: 14,
    retentionReason: null,
    purpose: 'municipal',
    audioAllowed: false,
    origin: 'found-recording',
    adopted: false,
    device: noDevice,
    clock: null,
    createdUs: nowUs,
  });
  for (const ago of [20, 10, 2]) addSegment(world, 'lobby', nowUs - days(ago));
  // Around the night in which the clock is set back.
  const lastSummerUs = Date.parse('2026-10-25T00:10:00Z') * 1000;
  addSegment(world, 'lobby', lastSummerUs, { seconds: 600, clip, hasAudio: true });
  addSegment(world, 'lobby', lastSummerUs + seconds(1500), { seconds: 600, clip, hasAudio: true });
  addSegment(world, 'gate', nowUs - days(29.7));
  addSegment(world, 'yard', nowUs - days(30.4));
  addSegment(world, 'store', nowUs - days(31));
  addSegment(world, 'car-park', nowUs - days(13.3));
  markMissing(world.store.db, addSegment(world, 'gate', nowUs - days(3)).id, nowUs);
  insertHold(
    world.store.db,
    holdRow({
      ...{ id: 'h-1', cameraIds: ['store'], startUs: nowUs - days(31), endUs: nowUs - days(30), placedUs: nowUs },
      ...{ placedBy: 'user:u-lars', approvedBy: 'user:u-lars' },
    }),
  );
  openTask(world.store.db, {
    kind: 'adopt-camera',
    subject: 'camera:car-park',
    detail: 'Camera "car-park" was found by itself: choose its class and retention.',
    createdUs: nowUs - days(1),
  });
  openTask(world.store.db, {
    kind: 'clock-untrusted',
    subject: 'gateway:clock',
    detail: 'The clock of this machine went back: confirm that it is right.',
    createdUs: nowUs,
  });
  return world;
}

test('in CI there is a browser: the page is not left untested there', () => {
  expect(hasChromium || process.env['CI'] !== 'true').toBe(true);
});

describe.skipIf(!hasChromium)('the page', () => {
  let browser: Browser;
  beforeAll(async () => {
    if (!existsSync(join(webDir, 'index.html'))) throw new Error('dist/web is not built: run "npm run build"');
    browser = await launch();
  });
  afterAll(async () => {
    // Undefined where it never came up, which has been reported then.
    await (browser as Browser | undefined)?.close();
  });

  /** A fresh browser profile; every error that the page or its policy reports fails the test. */
  async function open(
    served: Served,
    options: BrowserContextOptions = {},
  ): Promise<{ page: Page; troubles: string[] }> {
    const context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 800 }, ...options });
    onTestFinished(() => context.close());
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    const troubles: string[] = [];
    page.on('pageerror', (error) => troubles.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') troubles.push(message.text());
    });
    await page.goto(served.base);
    return { page, troubles };
  }

  async function login(page: Page, name: string): Promise<void> {
    await page.getByLabel('User name').fill(name);
    await page.getByLabel(/^Password/).fill(password);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('heading', { name: 'Cameras' }).waitFor();
  }

  test('login: refused with words and what to do, then let in, by keyboard alone', async () => {
    const served = await serve({ webDir }, await site());
    const { page, troubles } = await open(served);
    await page.getByRole('heading', { name: 'Log in' }).waitFor();
    await expectAccessible(page);
    await picture(page, 'login');
    await page.getByLabel('User name').fill(served.world.sofie.name);
    await page.getByLabel(/^Password/).fill('not this one');
    await page.keyboard.press('Enter');
    const alert = page.getByRole('alert');
    await alert.waitFor();
    expect(await alert.innerText()).toContain('Name or password is wrong.');
    expect(await alert.innerText()).toContain('ask an administrator');
    await expectAccessible(page);
    await picture(page, 'login-refused');

    await page.getByLabel(/^Password/).focus();
    await page.keyboard.type(password);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Cameras' }).waitFor();
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('heading', { name: 'Log in' }).waitFor();
    // The browser itself reports the refused login.
    expect(troubles.filter((text) => !text.includes('401'))).toEqual([]);
  });

  test('holds: security places one, legal decides, the other party is told; in Danish, English and at 360 px', async () => {
    const served = await serve({ webDir }, await site());
    const { page, troubles } = await open(served);
    await login(page, served.world.sofie.name);
    await page.getByRole('link', { name: 'Holds' }).click();
    await page.getByRole('heading', { name: 'Holds', exact: true }).waitFor();
    await page.getByRole('link', { name: 'Place a hold' }).click();
    await page.getByRole('heading', { name: 'Place a hold' }).waitFor();
    await page.getByRole('button', { name: 'Hold this footage' }).click();
    expect(await page.getByText('This is needed.').count()).toBeGreaterThan(4);
    await expectAccessible(page);
    await page.getByRole('radio', { name: 'Concrete dispute' }).check();
    await page.getByRole('textbox', { name: 'Other party' }).fill('Gate Company');
    await page.getByRole('textbox', { name: 'What the dispute is about' }).fill('who drove into the gate');
    await page.getByLabel('Why this footage is needed').fill('the gate is broken');
    await page.getByLabel(/^From/).fill('2026-10-25T08:00:00');
    await page.getByLabel(/^To\b/).fill('2026-10-25T12:00:00');
    await page.getByLabel('Days until it ends').fill('60');
    await page.getByRole('checkbox', { name: /car-park|Parkeringskælder/ }).check();
    // What a municipal camera does not know is said before anything is sent.
    expect(await page.getByText(/Not on this ground: Parkeringskælder/).count()).toBe(1);
    await page.getByRole('checkbox', { name: /Parkeringskælder/ }).uncheck();
    await page.getByRole('checkbox', { name: /Camera lobby/ }).check();
    // Four hours are more than one.
    await page.getByRole('textbox', { name: 'Why all of it is needed' }).fill('it is not known when it happened');
    await expectAccessible(page);
    await picture(page, 'hold-new');
    await page.getByRole('button', { name: 'Hold this footage' }).click();
    // There is nothing in these hours: nobody is told that it is held.
    const alert = page.getByRole('alert').filter({ hasText: 'The footage is gone' });
    await alert.waitFor();
    expect(await alert.innerText()).toContain('nothing is held');
    await page.getByLabel(/^From/).fill('2026-10-25T00:30:00');
    await page.getByLabel(/^To\b/).fill('2026-10-25T03:30:00');
    await page.getByRole('button', { name: 'Hold this footage' }).click();
    await page.getByRole('heading', { name: 'The footage is held' }).waitFor();
    expect(await page.getByRole('status').innerText()).toContain('Whole files are kept');
    await picture(page, 'hold-placed');
    await page.getByRole('link', { name: 'All holds' }).click();
    const card = page.getByRole('region', { name: /Gate Company/ });
    expect(await card.innerText()).toContain('Waits for legal, in force meanwhile');
    expect(await card.getByRole('button', { name: 'Approve' }).count()).toBe(0);

    const { page: desk, troubles: more } = await open(served);
    await login(desk, served.world.lars.name);
    await desk.getByRole('link', { name: 'Holds' }).click();
    const theirs = desk.getByRole('region', { name: /Gate Company/ });
    await picture(desk, 'holds');
    await theirs.getByRole('button', { name: 'Approve' }).click();
    await theirs.getByRole('button', { name: 'Save' }).click();
    await theirs.getByText('In force', { exact: true }).waitFor();
    await theirs.getByRole('button', { name: 'Other party told' }).click();
    await theirs.getByLabel(/^When/).fill('2026-10-26T10:00:00');
    await theirs.getByLabel(/^How/).fill('letter');
    await theirs.getByRole('button', { name: 'Save' }).click();
    await theirs.getByText('This is needed.').waitFor();
    await theirs.getByLabel('Document that shows it').fill('letter 17');
    await expectAccessible(desk);
    await theirs.getByRole('button', { name: 'Save' }).click();
    await theirs.getByText(/Other party told: .*26 Oct 2026, 10:00:00 \+01:00, letter, letter 17/).waitFor();
    await theirs.getByRole('button', { name: 'End the hold' }).click();
    await theirs.getByLabel('Reason').fill('settled');
    await picture(desk, 'holds-acts');
    await theirs.getByRole('button', { name: 'Save' }).click();
    await theirs.getByText('Lifted', { exact: true }).waitFor();
    await desk.getByLabel('Language').selectOption('da');
    await desk.getByRole('heading', { name: 'Tilbageholdelser' }).waitFor();
    await desk.setViewportSize({ width: 360, height: 740 });
    await expectNoSidewaysScroll(desk);
    await expectAccessible(desk);
    await picture(desk, 'holds-360-da');
    // The browser itself reports the refused placing.
    expect(troubles.filter((text) => !text.includes('410'))).toEqual([]);
    expect(more).toEqual([]);
  });

  test('cameras: each with its state in words, wide and at 360 px, in Danish and English', async () => {
    const served = await serve({ webDir }, await site());
    const { page, troubles } = await open(served);
    await login(page, served.world.ida.name);
    const row = (name: string): Promise<string> => page.getByRole('row').filter({ hasText: name }).innerText();
    expect(await row('Camera lobby')).toContain('Within the limit');
    expect(await row('Camera gate')).toContain('Due for deletion');
    expect(await row('Camera gate')).toContain('1 file missing');
    expect(await row('Camera yard')).toContain('Past the legal limit');
    expect(await row('Camera store')).toContain('Kept by a hold');
    expect(await row('Parkeringskælder')).toContain('was found by itself');
    expect(await row('Camera lobby')).toMatch(/6 Oct 2026, 14:00:00 \+02:00/);
    expect(await page.getByRole('progressbar').count()).toBe(5);
    expect(await page.getByText('it is not legal advice').count()).toBe(1);
    await expectAccessible(page);
    await picture(page, 'cameras');

    await page.getByLabel('Language').selectOption('da');
    await page.getByRole('heading', { name: 'Kameraer' }).waitFor();
    expect(await page.getAttribute('html', 'lang')).toBe('da');
    expect(await row('Camera store')).toContain('Tilbageholdt');
    expect(await page.title()).toContain('Kameraer');
    await page.reload();
    await page.getByRole('heading', { name: 'Kameraer' }).waitFor();
    await page.setViewportSize({ width: 360, height: 740 });
    await expectNoSidewaysScroll(page);
    await expectAccessible(page);
    await picture(page, 'cameras-360-da');
    expect(troubles).toEqual([]);
  });

  test('a browser that wishes for Danish gets it, and an auditor sees no buttons that are not his', async () => {
    const served = await serve({ webDir }, await site());
    const { page, troubles } = await open(served, { locale: 'da-DK' });
    await page.getByRole('heading', { name: 'Log ind' }).waitFor();
    await page.getByLabel('Brugernavn').fill(served.world.ida.name);
    await page.getByLabel(/^Adgangskode/).fill(password);
    await page.getByRole('button', { name: 'Log ind' }).click();
    await page.getByRole('link', { name: 'Udleveringer' }).click();
    await page.getByRole('heading', { name: 'Anmodninger om udlevering' }).waitFor();
    expect(await page.getByRole('link', { name: 'Ny anmodning' }).count()).toBe(0);
    await expectAccessible(page);
    await page.evaluate('location.hash = "#/requests/new"');
    await page.getByRole('heading', { name: 'Siden findes ikke.' }).waitFor();
    expect(troubles).toEqual([]);
  });

  test('a disclosure from the form to the package, by two people', async () => {
    const served = await serve({ webDir }, await site());
    const { page, troubles } = await open(served);
    await login(page, served.world.sofie.name);
    await page.getByRole('link', { name: 'Requests' }).click();
    await page.getByText('No request has been made.').waitFor();
    await page.getByRole('link', { name: 'New request' }).click();
    await page.getByRole('heading', { name: 'New disclosure request' }).waitFor();
    await page.getByRole('button', { name: 'Make request' }).click();
    expect(await page.getByText('This is needed.').count()).toBeGreaterThan(5);
    await expectAccessible(page);

    await page.getByLabel('Name of station').fill('Københavns Politi');
    await page.getByLabel('How they were reached').fill('Called back on 114');
    await page.getByLabel('Journal number').fill('0100-12345-00026-26');
    await page.getByLabel('Purpose').fill('Theft of a bicycle at the entrance');
    // 02:20 happens twice in this night; 03:00 once.
    await page.getByLabel(/^From/).fill('2026-10-25T02:20:00');
    await page.getByText('This time happens twice').waitFor();
    await picture(page, 'form');
    await expectAccessible(page);
    await page.getByLabel(/^Earlier: 25 Oct 2026, 02:20:00 \+02:00/).check();
    await page.getByLabel(/^To /).fill('2026-10-25T02:50:00');
    await page.getByLabel(/^Earlier: 25 Oct 2026, 02:50:00 \+02:00/).check();
    await page.getByLabel('Camera lobby').check();
    await page.setViewportSize({ width: 360, height: 740 });
    await expectNoSidewaysScroll(page);
    await picture(page, 'form-360');
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.getByRole('button', { name: 'Make request' }).click();

    await page.getByRole('heading', { name: 'Request 0100-12345-00026-26' }).waitFor();
    await page.getByText('Gap:').first().waitFor();
    await expectAccessible(page);
    await picture(page, 'request-requested');
    await page.getByRole('button', { name: 'Prepare' }).click();
    await page.getByText('Ready for review').waitFor();
    await page.getByText('Legal has to review the masked copies.').waitFor();
    await page.getByRole('button', { name: 'Log out' }).click();

    await page.getByRole('heading', { name: 'Log in' }).waitFor();
    await login(page, served.world.lars.name);
    await page.getByRole('link', { name: 'Requests' }).click();
    await page.getByRole('link', { name: /Open request/ }).waitFor();
    await expectAccessible(page);
    await picture(page, 'requests');
    await page.getByRole('link', { name: /Open request/ }).click();

    await page.getByRole('button', { name: 'Watch masked copy 1' }).click();
    await page.getByText('Every look is logged with its purpose.').waitFor();
    await expectAccessible(page);
    await picture(page, 'purpose');
    expect(served.events().some(({ type }) => type === 'footage.viewed')).toBe(false);
    await page.getByRole('button', { name: 'Watch', exact: true }).click();
    // The page's policy forbids the evaluation that waiting inside it would need, so it is asked from outside.
    await expect
      .poll(() => page.evaluate<number>('document.querySelector("video")?.readyState ?? 0'), { timeout: 10_000 })
      .toBeGreaterThanOrEqual(2);
    await expectAccessible(page);
    await picture(page, 'watching');
    expect(served.events().filter(({ type }) => type === 'footage.viewed')).toMatchObject([
      { actor: 'user:u-lars', data: { purpose: 'review', position: 0 } },
    ]);
    await page.keyboard.press('Escape');

    const confirm = page.getByRole('button', { name: 'Confirm review' });
    expect(await confirm.isDisabled()).toBe(true);
    await page.getByLabel(/looked at every uncertain span/).check();
    await confirm.click();
    await page.getByText('Reviewed, to be decided').waitFor();
    await page.getByLabel('Reason', { exact: true }).fill('The police asked for it to solve a theft.');
    await page.getByRole('button', { name: 'Approve' }).click();
    // The originals have sound: without a reason for it they are refused, in the gateway's words.
    await page.getByRole('alert').waitFor();
    await expectAccessible(page);
    await picture(page, 'request-refused-sound');
    await page.getByLabel('Hand over the sound too').check();
    await page.getByLabel('Why sound is needed').fill('A threat can be heard.');
    await page.getByRole('button', { name: 'Approve' }).click();
    await page.getByRole('button', { name: 'Make package' }).click();
    await page.getByRole('link', { name: 'Download package' }).waitFor();
    await expectAccessible(page);
    await picture(page, 'request-packaged');
    await page.setViewportSize({ width: 360, height: 740 });
    await expectNoSidewaysScroll(page);
    await expectAccessible(page);
    await picture(page, 'request-360');
    await page.setViewportSize({ width: 1280, height: 800 });
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'Download package' }).click(),
    ]);
    expect(download.suggestedFilename()).toMatch(/^disclosure-r-.*\.zip$/);
    expect(await download.failure()).toBeNull();
    await page.getByRole('button', { name: 'Receipt confirmed, close' }).click();
    await page.getByRole('button', { name: 'Yes, do it' }).click();
    await page.getByText('Nothing is left to do.').waitFor();
    expect(troubles.filter((text) => !text.includes('400'))).toEqual([]);
  });

  /** Ten minutes of a camera: three files, of which one is there twice, a gap, and a sub-stream that fills half of it. */
  async function siteWithCopies(): Promise<World> {
    const world = makeWorld();
    const clip = await makeClip(join(tempFolder(), 'clip.mp4'), { seconds: 120, fps: 2, size: '640x360' });
    for (const id of ['lobby', 'lobby_sub', 'yard']) addCamera(world, id);
    putSubstream(world.store.db, { streamId: 'lobby_sub', cameraId: 'lobby' });
    for (const minute of [0, 2, 6]) {
      addSegment(world, 'lobby', noonUs + seconds(minute * 60), { clip, seconds: minute === 0 ? 122 : 120 });
    }
    addSegment(world, 'lobby', noonUs + seconds(360), { clip, seconds: 120, name: 'copied archive.mp4' });
    addSegment(world, 'lobby_sub', noonUs + seconds(120), { clip, seconds: 180, picture: [80, 60] });
    return world;
  }

  test('footage is found with its gaps and copies, and looked at for a purpose', async () => {
    const served = await serve({ webDir }, await siteWithCopies());
    const { page, troubles } = await open(served);
    await login(page, served.world.sofie.name);
    await page.getByText('Sub-stream of lobby').waitFor();
    await page.getByRole('link', { name: 'Footage' }).click();
    await page.getByRole('heading', { name: 'Find footage' }).waitFor();
    expect(await page.getByLabel('Camera lobby_sub').count()).toBe(0);
    await page.getByLabel('From').fill('2026-05-31T12:00:00');
    await page.getByLabel('To').fill('2026-05-31T12:10:00');
    await page.getByLabel('Camera lobby', { exact: true }).check();
    await page.getByRole('button', { name: 'Search' }).click();
    await page.getByText('2 gaps').waitFor();
    await page.getByText(/4 recordings, 1 duplicate: these show what others show too/).waitFor();
    await page.getByText(/Only the sub-stream:/).waitFor();
    await expectAccessible(page);
    await picture(page, 'footage');
    expect(served.events().filter(({ type }) => type === 'footage.searched')).toHaveLength(1);

    await page.getByRole('button', { name: 'Contact sheet of lobby' }).click();
    await page.getByText('Every look is logged with its purpose.').waitFor();
    await page.getByRole('button', { name: 'Show pictures' }).click();
    await page.getByRole('img', { name: /^Pictures of lobby from/ }).waitFor({ timeout: 60_000 });
    await page
      .getByRole('button', { name: /12[.:]01/ })
      .first()
      .click();
    await page.getByRole('img', { name: /^lobby, / }).waitFor({ timeout: 60_000 });
    await expectAccessible(page);
    await picture(page, 'contact-sheet');
    expect(served.events().filter(({ type }) => type === 'footage.viewed')).toMatchObject([
      { actor: 'user:u-sofie', data: { what: 'contact-sheet', purpose: 'review', camera: 'lobby' } },
      { actor: 'user:u-sofie', data: { what: 'still', purpose: 'review', camera: 'lobby' } },
    ]);
    await page.keyboard.press('Escape');
    await page.getByRole('img', { name: /^Pictures/ }).waitFor({ state: 'detached' });
    await page.setViewportSize({ width: 360, height: 740 });
    await page.getByLabel('Language').selectOption('da');
    await page.getByRole('heading', { name: 'Find optagelser' }).waitFor();
    await expectNoSidewaysScroll(page);
    await expectAccessible(page);
    await picture(page, 'footage-360-da');
    expect(troubles).toEqual([]);
  });

  test('the one who asked is told that somebody else has to decide', async () => {
    const served = await serve({ webDir }, await site());
    const both = await served.login(served.world.both);
    const made = await both.call<{ request: { id: string } }>('POST', '/api/requests', {
      ground: 'police',
      recipient: { kind: 'police', name: 'Politi', contact: '114' },
      journalNumber: '1',
      purpose: 'theft',
      cameraIds: ['lobby'],
      from: '2026-10-25T00:10:00Z',
      to: '2026-10-25T00:20:00Z',
    });
    await both.call('POST', `/api/requests/${made.json.request.id}/prepare`);
    await served.idle();
    const { page, troubles } = await open(served);
    await login(page, served.world.both.name);
    await page.evaluate(`location.hash = "#/requests/${made.json.request.id}"`);
    await page.getByText('Another person with the role "legal" has to review and decide.').waitFor();
    expect(await page.getByRole('button', { name: 'Confirm review' }).count()).toBe(0);
    expect(await page.getByRole('button', { name: 'Refuse' }).count()).toBe(0);
    expect(troubles).toEqual([]);
  });
});
