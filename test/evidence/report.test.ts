/** The monthly report: what it says, that the same database says the same, that it proves itself, and what forging it costs. */
import { execFileSync } from 'node:child_process';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { appendFileSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { canonicalJson } from '../../src/domain/canonical-json.js';
import {
  encodeReport,
  lastMonth,
  monthRange,
  parseReport,
  type DeletionReport,
} from '../../src/domain/deletion-report.js';
import { reportFiles, verifyReport, writeReport } from '../../src/evidence/report-files.js';
import { fingerprint, publicPem, signManifest } from '../../src/evidence/signature.js';
import { applyDeletions } from '../../src/retention/delete.js';
import { keepOldest } from '../../src/retention/oldest-record.js';
import type { NewHold } from '../../src/domain/hold.js';
import { buildReport } from '../../src/retention/report.js';
import { insertHold, setApproved, setNotified } from '../../src/store/holds.js';
import { holdRow } from '../helpers/holds.js';
import {
  addCamera,
  addHold,
  addRoot,
  addSegment,
  day,
  hour,
  makeTestStore,
  origin,
  tempDir,
  type TestStore,
} from '../helpers/store.js';

const zone = 'Europe/Copenhagen';
const october = monthRange('2026-10', zone);
const packageKey = generateKeyPairSync('ed25519').privateKey;

const build = (made: TestStore, month = '2026-10'): Promise<DeletionReport> =>
  buildReport({
    db: made.db,
    month,
    nowUs: made.nowUs,
    marginUs: 12 * hour,
    site: { name: 'Rådhuset, Ærø', timezone: zone },
    version: '0.1.0',
    audit: { origin, keySha256: fingerprint(made.publicKey) },
    reportKeySha256: fingerprint(packageKey),
  });

/** A month with punctual deletions, a late one, a hold, a doubt about the clock, and a file that is not the indexed one. */
async function monthOf(): Promise<TestStore & { root: string }> {
  const start = october.startUs;
  const made = makeTestStore({ nowUs: start - 60 * day });
  addCamera(made, 'lobby');
  addCamera(made, 'gård-øst', { class: 'municipal' });
  const root = addRoot(made, 'nvr');
  const add = (camera: string, path: string, startUs: number): number =>
    addSegment(made, { camera, path, startUs, minutes: 60 });
  add('lobby', 'before.mp4', start - 31 * day);
  made.nowUs = start - day;
  await applyDeletions(made.retention);
  made.nowUs = start - 10 * day;
  add('lobby', 'a.mp4', start - 25 * day);
  add('lobby', 'b.mp4', start - 25 * day + hour);
  add('lobby', 'late.mp4', start - 26 * day);
  add('lobby', 'held.mp4', start - 24 * day);
  add('gård-øst', 'changed.mp4', start - 25 * day);
  addHold(made, {
    id: 'h1',
    cameras: ['lobby'],
    startUs: start - 24 * day,
    endUs: start - 24 * day + hour,
    reviewUs: start + 60 * day,
  });
  writeFileSync(join(root, 'changed.mp4'), 'somebody else wrote this, and longer');
  // Due at start + 4.5 d and 3.5 d; legal limit of "late" at start + 4 d.
  made.nowUs = start + 4.5 * day + hour;
  await applyDeletions(made.retention);
  made.nowUs = start - 2 * day;
  await applyDeletions(made.retention);
  made.nowUs = start + 20 * day;
  add('lobby', 'young.mp4', start + 19 * day);
  await keepOldest(made.store, 12 * hour, {
    atUs: made.nowUs,
    ok: true,
    cameras: [
      { cameraId: 'lobby', files: 2, oldest: null, oldestHeld: null, held: 1, overLimit: 0, due: 0, notIndexed: 0 },
    ],
    findings: [],
    copies: [],
    problems: [],
  });
  made.nowUs = october.endUs + hour;
  return Object.assign(made, { root });
}

async function written(made: TestStore): Promise<string> {
  const folder = join(tempDir(), 'deletion-report-2026-10');
  await writeReport(folder, await build(made), { report: packageKey, auditPublic: made.publicKey });
  return folder;
}

const failed = async (folder: string, options = {}): Promise<string[]> =>
  (await verifyReport(folder, options)).checks.filter(({ ok }) => !ok).map(({ name }) => name);

describe('months', () => {
  test('are those of the site, summer time or not', () => {
    expect(october).toEqual({ startUs: Date.UTC(2026, 8, 30, 22) * 1000, endUs: Date.UTC(2026, 9, 31, 23) * 1000 });
    expect(monthRange('2026-12', 'UTC').endUs).toBe(Date.UTC(2027, 0, 1) * 1000);
    expect(lastMonth(october.endUs - 1, zone)).toBe('2026-09');
    expect(lastMonth(october.endUs, zone)).toBe('2026-10');
    expect(lastMonth(Date.UTC(2027, 0, 2) * 1000, zone)).toBe('2026-12');
    expect(() => monthRange('2026-13', zone)).toThrow('not a month');
  });
});

describe('C16 the report', () => {
  test('D3 says which other party was not told in time, and on which hold legal has not decided', async () => {
    const made = await monthOf();
    const { startUs } = october;
    const put = (id: string, row: Partial<NewHold>): void => {
      const placedUs = startUs + day;
      insertHold(
        made.db,
        holdRow({ id, cameraIds: ['lobby'], startUs: startUs - hour, endUs: startUs, placedUs, ...row }),
      );
    };
    const dispute: Partial<NewHold> = {
      ground: 'dispute',
      facts: { ground: 'dispute', counterparty: 'A Company', description: 'who drove into the gate' },
      notifyByUs: startUs + 10 * day,
    };
    put('told', dispute);
    put('told-late', dispute);
    put('not-told', { ...dispute, reviewUs: startUs + 80 * day });
    put('not-yet', { ...dispute, notifyByUs: october.endUs + day });
    setNotified(made.db, 'told', startUs + 5 * day);
    setNotified(made.db, 'told-late', startUs + 11 * day);
    // Told in November: at the end of October it was not.
    setNotified(made.db, 'not-told', october.endUs + 1);
    const security: Partial<NewHold> = {
      ...{ placedAs: 'security', placedBy: 'user:s', approvedUs: null, approvedBy: null },
      ...{ reviewUs: startUs + 15 * day, approveByUs: startUs + 4 * day },
    };
    put('undecided', security);
    put('approved', security);
    setApproved(made.db, 'approved', { by: 'user:l', atUs: startUs + 2 * day, reviewUs: startUs + 60 * day });

    const report = await build(made);
    const lobby = report.cameras.find(({ id }) => id === 'lobby');
    expect(
      lobby?.holds.flatMap(({ notice, approval }) => (notice === undefined ? [] : [[notice.overdue, approval]])),
    ).toEqual([
      [true, undefined],
      [false, undefined],
      [false, undefined],
      [true, undefined],
    ]);
    expect(lobby?.holds.flatMap(({ approval }) => approval ?? [])).toEqual(['given', 'overdue']);
    expect(parseReport(encodeReport(report))).toEqual(report);
    expect(encodeReport(report)).not.toContain('A Company');
  });

  test('says what was deleted in the month, how late, what was missed, held and refused', async () => {
    const made = await monthOf();
    const report = await build(made);
    const [east, lobby] = report.cameras;
    expect(lobby).toMatchObject({
      id: 'lobby',
      legalDays: 30,
      oldest: {
        byIndex: { us: october.startUs - 24 * day },
        limit: { us: october.startUs + 6 * day },
        byDisk: { lookedAt: { us: october.startUs + 20 * day }, oldest: null, files: 2, overLimit: 0 },
      },
      deletions: { segments: 3, hours: 3, unlinked: 3, alreadyAbsent: 0 },
      // "a" an hour, "b" on the minute, "late" a day and an hour.
      lateness: { medianSeconds: 3600, worstSeconds: 25 * 3600 },
      misses: { deletedLate: 1, worstSeconds: 13 * 3600, stillThere: 0 },
      holds: [{ ground: 'reported-offence', lifted: null }],
      exceptions: { refused: 0, failedAttempts: 0 },
    });
    expect(east).toMatchObject({
      id: 'gård-øst',
      oldest: { byDisk: null },
      deletions: { segments: 0, hours: 0 },
      lateness: { medianSeconds: null, worstSeconds: null },
      // Not the indexed file: never touched, and past its limit at the end of the month.
      misses: { deletedLate: 0, stillThere: 1 },
      exceptions: { refused: 1, failedAttempts: 0 },
    });
    expect(report.exceptions).toMatchObject({ sweeps: 1, refused: { clock: 1, other: 0 }, rootsInDoubt: [] });
    expect(report.totals).toMatchObject({ segments: 3, deletedLate: 1, stillThere: 1, holds: 1 });
    expect(report.audit.first?.size).toBeLessThan(report.audit.last?.size ?? 0);
  });

  test('has no path, no name, no reference and no reason', async () => {
    const text = encodeReport(await build(await monthOf()));
    for (const word of ['.mp4', 'J-1', 'burglary', 'user:']) expect(text).not.toContain(word);
  });

  test('is the same for the same database, and stays so when life goes on', async () => {
    const made = await monthOf();
    const before = encodeReport(await build(made));
    expect(encodeReport(await build(made))).toBe(before);
    made.nowUs = october.endUs + 25 * day;
    await applyDeletions(made.retention);
    expect(encodeReport(await build(made))).toBe(before);
  });

  test('is not made of a month that is not over', async () => {
    const made = await monthOf();
    await expect(build(made, '2026-11')).rejects.toThrow('not over yet');
  });

  test('of a month before the gateway is empty and says so', async () => {
    const report = await build(await monthOf(), '2025-01');
    expect(report).toMatchObject({
      cameras: [],
      audit: { first: null, last: null },
      totals: { segments: 0, worstSeconds: null },
    });
    expect(parseReport(encodeReport(report))).toEqual(report);
  });
});

describe('the folder', () => {
  test('is whole, byte for byte the same again, and sha256sum agrees', async () => {
    const made = await monthOf();
    const folder = await written(made);
    expect(await verifyReport(folder)).toMatchObject({ ok: true });
    expect(await failed(folder, { publicKeyPem: publicPem(packageKey) })).toEqual([]);
    expect(readdirSync(folder).sort()).toEqual([...reportFiles].sort());
    const again = await written(made);
    for (const name of reportFiles)
      expect(readFileSync(join(again, name)).equals(readFileSync(join(folder, name))), name).toBe(true);
    execFileSync('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: folder, stdio: 'ignore' });
    expect(readFileSync(join(folder, 'report.da.pdf')).subarray(0, 5).toString()).toBe('%PDF-');
  });

  test.each(reportFiles)('without %s, or with a byte more in it, is not', async (name) => {
    const folder = await written(await monthOf());
    appendFileSync(join(folder, name), '\n');
    expect(await failed(folder)).not.toEqual([]);
    rmSync(join(folder, name));
    expect(await failed(folder)).toContain('structure');
    symlinkSync('/etc/passwd', join(folder, name));
    expect(await failed(folder)).toContain('structure');
  });

  test.each<[string, (report: DeletionReport) => unknown, string]>([
    [
      'a miss less',
      ({ cameras, ...rest }) => ({
        ...rest,
        cameras: cameras.map((one) => ({ ...one, misses: { ...one.misses, deletedLate: 0 } })),
      }),
      'report-form',
    ],
    ['another month', (report) => ({ ...report, month: '2026-09' }), 'report-form'],
    [
      'a time that is not its microseconds',
      (report) => ({
        ...report,
        range: { ...report.range, start: { ...report.range.start, local: '2026-10-01T00:00:00+01:00' } },
      }),
      'report-form',
    ],
    ['a key more', (report) => ({ ...report, note: 'all is well' }), 'report-form'],
    [
      'a checkpoint of another size',
      (report) => ({ ...report, audit: { ...report.audit, first: { ...report.audit.first, size: 1 } } }),
      'checkpoints',
    ],
    ['another log', (report) => ({ ...report, audit: { ...report.audit, origin: 'tredive/other' } }), 'checkpoints'],
  ])('signed by the own key, but with %s, is not whole', async (_what, forge, check) => {
    const folder = await written(await monthOf());
    const json = canonicalJson(forge(parseReport(readFileSync(join(folder, 'report.json'), 'utf8'))) as never);
    resign(folder, json);
    expect(await failed(folder)).toContain(check);
  });

  test('signed by a stranger is whole in itself, but not for whoever has the key', async () => {
    const folder = await written(await monthOf());
    const { publicKey } = generateKeyPairSync('ed25519');
    expect(await failed(folder, { publicKeyPem: publicPem(publicKey) })).toEqual(['key-pin']);
  });

  test.each(['', '{', '[]', '{"format":1}', '['.repeat(50_000)])(
    'with %.20j for a report ends in a check',
    async (json) => {
      const folder = await written(await monthOf());
      resign(folder, json);
      expect(await failed(folder)).toContain('report-form');
    },
  );

  test('that is no folder of a report ends in a check', async () => {
    const folder = tempDir();
    mkdirSync(join(folder, 'report.json'));
    expect(await failed(folder)).toContain('structure');
  });
});

/** As an insider with the key would. */
function resign(folder: string, json: string): void {
  writeFileSync(join(folder, 'report.json'), json);
  const hash = createHash('sha256').update(json).digest('hex');
  const sums = readFileSync(join(folder, 'SHA256SUMS'), 'utf8').replace(
    /^[0-9a-f]{64} {2}report\.json/m,
    `${hash}  report.json`,
  );
  writeFileSync(join(folder, 'SHA256SUMS'), sums);
  writeFileSync(join(folder, 'SHA256SUMS.sig'), signManifest(sums, packageKey));
}
