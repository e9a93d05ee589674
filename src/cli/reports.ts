/** The monthly reports that the running gateway keeps in its data folder. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ApiDeps } from '../api/deps.js';
import type { Gateway } from '../app.js';
import type { Actor } from '../domain/audit-event.js';
import { lastMonth, monthBefore, monthRange } from '../domain/deletion-report.js';
import { GatewayError } from '../errors.js';
import { reportFiles, verifyReport } from '../evidence/report-files.js';
import { checkpointBefore } from '../store/audit-log.js';

type Made = Awaited<ReturnType<Gateway['makeReport']>>;

/** How far back months without a report are offered: a clock that once was in 1970 does not offer hundreds. */
const monthsOffered = 24;

interface Reports extends Omit<ApiDeps['reports'], 'make'> {
  make(month: string, actor: Actor): Promise<Made>;
}

/** What of the gateway is needed for it. */
export interface ReportsContext extends Pick<Gateway, 'store' | 'reportKeyPem' | 'makeReport'> {
  readonly dataDir: string;
  readonly timezone: string;
}

export function makeReports({ store, dataDir, timezone, reportKeyPem, makeReport }: ReportsContext): Reports {
  /** Two that write the same folder would leave one that proves nothing. */
  const underWay = new Set<string>();
  const folderOf = (month: string): string => join(dataDir, 'reports', month);
  // The signature is written last.
  const isMade = (month: string): boolean => existsSync(join(folderOf(month), reportFiles.at(-1) ?? ''));
  return {
    missing: () => {
      const months: string[] = [];
      let month = lastMonth(store.clock.nowUs(), timezone);
      // Of a month before the gateway there is nothing to report.
      for (
        let n = 0;
        n < monthsOffered && checkpointBefore(store.db, monthRange(month, timezone).endUs) !== null;
        n++
      ) {
        if (!isMade(month)) months.push(month);
        month = monthBefore(month);
      }
      return Promise.resolve(months);
    },
    make: async (month, actor) => {
      if (isMade(month) || underWay.has(month)) {
        throw new GatewayError('conflict', `The report of ${month} was made already, or is being made.`, {
          remedy: 'Use that one: it is signed, and its hash is in the audit log.',
        });
      }
      if (checkpointBefore(store.db, monthRange(month, timezone).endUs) === null) {
        throw new GatewayError('not-found', `In ${month} this gateway did not run yet.`, {
          remedy: 'Name a later month.',
        });
      }
      underWay.add(month);
      try {
        return await makeReport(month, folderOf(month), actor);
      } finally {
        underWay.delete(month);
      }
    },
    verify: async (month) => {
      if (!isMade(month)) {
        throw new GatewayError('not-found', `There is no report of ${month}.`, { remedy: 'Make it first.' });
      }
      return await verifyReport(folderOf(month), { publicKeyPem: reportKeyPem });
    },
  };
}
