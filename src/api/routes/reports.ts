import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { reportFiles, type ReportVerdict } from '../../evidence/report-files.js';
import { toGatewayError } from '../../errors.js';
import { sendFile } from '../file-answer.js';
import { route, type Route } from '../route.js';
import type { ReportsView } from '../views.js';

const month = z.string().regex(/^\d{4}-(?:0[1-9]|1[0-2])$/);
const types: Readonly<Record<string, string>> = { json: 'application/json', pdf: 'application/pdf' };

export const reportRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: '/api/reports',
    right: 'report.read',
    summary: 'The monthly reports on deletion that were made, newest first, and the months that have none',
    handler: async ({ deps: { dataDir, reports: kept } }): Promise<ReportsView> => {
      const reports = [];
      for (const name of (await namesIn(join(dataDir, 'reports'))).sort().reverse()) {
        if (!month.safeParse(name).success) continue;
        const files = await namesIn(join(dataDir, 'reports', name));
        // One without all of its files is being written.
        if (reportFiles.every((file) => files.includes(file))) reports.push({ month: name, files: reportFiles });
      }
      return { reports, missing: await kept.missing() };
    },
  }),
  route({
    method: 'post',
    path: '/api/reports',
    right: 'report.make',
    status: 201,
    summary: 'Make the signed report of a month that is over and has none',
    body: z.strictObject({ month }),
    handler: async ({ deps: { reports }, user, body }) => ({
      month: body.month,
      ...(await reports.make(body.month, `user:${user.id}`)),
    }),
  }),
  route({
    method: 'get',
    path: '/api/reports/:month/verification',
    right: 'report.read',
    summary: 'Whether a report is what was signed, by this gateway: each check with its result',
    params: z.strictObject({ month }),
    handler: ({ deps: { reports, store }, user, params }): Promise<ReportVerdict> => {
      store.act(`user:${user.id}`, (note) => {
        note('audit.read', `report:${params.month}`, { what: 'report-verification' });
      });
      return reports.verify(params.month);
    },
  }),
  route({
    method: 'get',
    path: '/api/reports/:month/:file',
    right: 'report.read',
    summary: 'One file of a monthly report: JSON, PDF, keys, hashes or signature',
    answers: 'application/octet-stream',
    params: z.strictObject({ month, file: z.enum(reportFiles as [string, ...string[]]) }),
    handler: ({ deps, user, params, req, res }) =>
      sendFile(
        { deps, req, res, user },
        {
          path: `reports/${params.month}/${params.file}`,
          contentType: types[params.file.slice(params.file.lastIndexOf('.') + 1)] ?? 'text/plain',
          downloadName: `${params.month}-${params.file}`,
        },
        { type: 'audit.read', subject: `report:${params.month}`, data: { what: 'report', file: params.file } },
      ),
  }),
];

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    // No report was made yet.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw toGatewayError(error, `reading ${folder}`);
  }
}
