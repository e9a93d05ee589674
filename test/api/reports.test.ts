import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import type { ReportsView } from '../../src/api/views.js';
import { reportFiles, writeReport } from '../../src/evidence/report-files.js';
import { fingerprint } from '../../src/evidence/signature.js';
import { buildReport } from '../../src/retention/report.js';
import { makeWorld } from '../helpers/disclosure.js';
import { serve } from './gateway.js';

test('reports are listed and handed out to those who may read them, and each look is in the log', async () => {
  const world = makeWorld();
  const { privateKey } = generateKeyPairSync('ed25519');
  const auditPublic = createPublicKey(privateKey);
  const keySha256 = fingerprint(privateKey);
  const month = '2026-01';
  const report = await buildReport({
    db: world.store.db,
    month,
    nowUs: world.clock.nowUs(),
    marginUs: 12 * 3_600_000_000,
    site: { name: 'Test', timezone: 'UTC' },
    version: '0.1.0',
    audit: { origin: 'tredive/test', keySha256 },
    reportKeySha256: keySha256,
  });
  const served = await serve({}, world);
  const legal = await served.login(world.lars);
  expect((await legal.call<ReportsView>('GET', '/api/reports')).json).toEqual({ reports: [], missing: [] });
  await writeReport(join(world.dataDir, 'reports', month), report, { report: privateKey, auditPublic });
  // One that is being written.
  mkdirSync(join(world.dataDir, 'reports', '2026-02'));
  expect((await legal.call<ReportsView>('GET', '/api/reports')).json).toEqual({
    reports: [{ month, files: reportFiles }],
    missing: [],
  });
  const pdf = await legal.call('GET', `/api/reports/${month}/report.da.pdf`);
  expect([pdf.status, pdf.headers.get('content-type')]).toEqual([200, 'application/pdf']);
  expect(served.events().at(-1)).toMatchObject({ type: 'audit.read', subject: `report:${month}` });
  for (const path of [`${month}/..%2f..%2ftredive.db`, `${month}/other`, '2026-99/report.json', '..%2f/report.json']) {
    expect((await legal.call('GET', `/api/reports/${path}`)).status, path).toBe(400);
  }
  expect((await legal.call('GET', '/api/reports/2025-01/report.json')).status).toBe(410);
  const security = await served.login(world.sofie);
  expect((await security.call('GET', '/api/reports')).status).toBe(403);
  expect((await security.call('GET', `/api/reports/${month}/report.json`)).status).toBe(403);
});
