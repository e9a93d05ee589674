import type { Command } from 'commander';
import { openForReading, placedInData } from '../app.js';
import { loadConfig } from '../config.js';
import { checkDisk } from '../retention/check-disk.js';
import { checkStore } from '../store/check.js';
import { count, define } from './command.js';

export function check(program: Command): void {
  define(
    program
      .command('check')
      .description(
        'compare index, disk and log by the invariants of SCHEMA.md; changes nothing; exit 3 if anything is wrong',
      ),
    async ({ options }) => {
      const config = loadConfig(options.config);
      const { db } = openForReading(config);
      try {
        const paths = new Map(config.roots.map((root) => [root.id, root.path]));
        const problems = [
          ...checkStore(db),
          ...(await checkDisk(db, {
            dataDir: config.data,
            rootPath: (id) => paths.get(id) ?? null,
            exempt: placedInData(config),
          })),
        ];
        const ok = problems.length === 0;
        const text = ok
          ? 'Index, disk and log agree.'
          : [
              ...problems.map(({ invariant, detail }) => `${invariant}  ${detail}`),
              `${count(problems.length, 'problem')} found.`,
            ].join('\n');
        return { json: { ok, problems }, text, ok };
      } finally {
        db.close();
      }
    },
  );
}
