import type { Command } from 'commander';
import { openForReading, verifyAudit } from '../app.js';
import { loadConfig } from '../config.js';
import { define } from './command.js';

export function audit(program: Command): void {
  const group = program.command('audit').description('the tamper-evident log');
  define(
    group
      .command('verify')
      .description('check the whole log against its checkpoints and anchors; exit 3 if anything is wrong'),
    ({ options }) => {
      const config = loadConfig(options.config);
      const { db, auditKey } = openForReading(config);
      try {
        const report = verifyAudit(db, config, auditKey);
        const verdict = report.ok
          ? 'The log is whole.'
          : `The log is NOT whole:\n${report.problems.map((line) => `  - ${line}`).join('\n')}`;
        return Promise.resolve({
          json: report,
          text: `${verdict}\n${report.size} entries, root ${report.root}`,
          ok: report.ok,
        });
      } finally {
        db.close();
      }
    },
  );
}
