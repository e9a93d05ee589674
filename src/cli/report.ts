import { join } from 'node:path';
import type { Command } from 'commander';
import { lastMonth } from '../domain/deletion-report.js';
import { GatewayError } from '../errors.js';
import { pdfName, reportFiles } from '../evidence/report-files.js';
import { reportLanguages, type ReportLanguage } from '../evidence/report-texts.js';
import { span } from './oldest.js';
import { define, withGateway, type CommonOptions } from './command.js';

export function report(program: Command): void {
  define<CommonOptions & { month?: string; language: string; out?: string }>(
    program
      .command('report')
      .description('write the signed report on deletion of one month: JSON, and PDF in Danish and English')
      .option('--month <month>', 'such as 2026-10; the last one that is over where left out')
      .option('--language <language>', 'da or en: which of the two PDFs is named in the output', 'da')
      .requiredOption('--out <folder>', 'where its folder is made'),
    ({ options, signal }) => {
      const language = reportLanguages.find((known) => known === options.language);
      if (language === undefined) {
        throw new GatewayError('usage', `"${options.language}" is no language of the report.`, {
          remedy: `Use ${reportLanguages.join(' or ')}.`,
        });
      }
      return withGateway(options, signal, async (gateway) => {
        const { timezone } = gateway.config.site;
        const month = options.month ?? lastMonth(gateway.store.clock.nowUs(), timezone);
        const folder = join(options.out ?? '.', `deletion-report-${month}`);
        const made = await gateway.makeReport(month, folder, 'operator');
        const { totals } = made.report;
        const worst = totals.worstSeconds === null ? '-' : span(totals.worstSeconds * 1e6);
        const text = [
          `${month}: ${totals.segments} files (${totals.hours} h) deleted, worst lateness ${worst}, ${totals.deletedLate} deleted after the legal limit, ${totals.stillThere} still there past it, ${totals.holds} holds`,
          `Written to ${folder}: ${pdfOf(folder, language)}; check it with "tredive verify ${folder}".`,
        ].join('\n');
        return {
          json: { month, folder, files: reportFiles, pdf: pdfOf(folder, language), sha256: made.sha256, totals },
          text,
        };
      });
    },
  );
}

const pdfOf = (folder: string, language: ReportLanguage): string => join(folder, pdfName(language));
