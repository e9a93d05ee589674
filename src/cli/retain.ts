import type { Command } from 'commander';
import { formatLocal, parseInstant } from '../domain/time.js';
import { GatewayError } from '../errors.js';
import { confirmDeletion } from '../retention/confirm.js';
import { applyDeletions } from '../retention/delete.js';
import type { RetentionPlan } from '../retention/context.js';
import { planSweep } from '../retention/plan.js';
import { acceptClock } from '../retention/trust.js';
import { count, define, progressBar, table, withGateway } from './command.js';
import { identify, withIdentity, type IdentityOptions } from './identity.js';

const overdueLines = ({ quarantineOverdue }: RetentionPlan): string[] =>
  quarantineOverdue.map(
    ({ rootId, files }) =>
      `  OVERDUE  ${rootId}: ${count(files, 'file')} in quarantine may be past the limit; the gateway does not touch them. "tredive scan" names them; repair or remove them by hand.`,
  );

const waitingLines = ({ waiting, refused }: RetentionPlan): string[] =>
  waiting === null || waiting.detail === refused ? [] : [waiting.detail];

export function retain(program: Command): void {
  define<IdentityOptions & { apply?: true; at?: string; acceptClock?: true; confirm?: string }>(
    withIdentity(
      program
        .command('retain')
        .description('show what retention would delete now; with --apply, delete it')
        .option('--apply', 'delete what is due')
        .option('--confirm <id>', 'say yes to a deletion that waits for two persons; each of them does, as --user')
        .option('--accept-clock', 'say that the clock is right now, after it was wrong; two persons do, each as --user')
        .option('--at <instant>', 'plan for another instant (dry run only), such as 2026-03-29T00:00:00Z'),
    ),
    ({ options, signal }) => {
      const { confirm } = options;
      if (confirm !== undefined) {
        if (options.apply === true || options.at !== undefined || options.acceptClock === true) {
          throw new GatewayError('usage', '--confirm stands alone.', { remedy: 'Confirm first, then --apply.' });
        }
        return withGateway(options, signal, async (gateway) => {
          const result = confirmDeletion(gateway.retention, await identify(gateway, options), confirm);
          const text = result.complete
            ? 'Confirmed by two. The next sweep deletes it; "tredive retain --apply" does it now.'
            : 'Your yes is noted. Another person has to confirm it as well; one of the two must be an administrator.';
          return { json: { confirmed: confirm, complete: result.complete, votes: result.votes }, text };
        });
      }
      if (options.apply === true && options.at !== undefined) {
        throw new GatewayError('usage', '--at is for a dry run only.', { remedy: 'Leave out --apply, or --at.' });
      }
      if (options.acceptClock === true) {
        if (options.apply === true || options.at !== undefined) {
          throw new GatewayError('usage', '--accept-clock stands alone.', { remedy: 'Accept first, then --apply.' });
        }
        return withGateway(options, signal, async (gateway) => {
          const result = acceptClock(gateway.retention, await identify(gateway, options));
          const now = formatLocal(gateway.store.clock.nowUs(), gateway.config.site.timezone);
          const text = result.complete
            ? `It is ${now}, two persons say so. The next sweep goes by it.`
            : `You say that it is ${now}. Another person has to say so as well; one of the two must be an administrator.`;
          return { json: { accepted: result.complete, votes: result.votes }, text };
        });
      }
      const atUs = options.at === undefined ? null : parseInstant(options.at);
      return withGateway(options, signal, async (gateway) => {
        const { timezone } = gateway.config.site;
        if (options.apply !== true) {
          // As --apply would do it: by hand.
          const { plan } = planSweep(gateway.retention, atUs ?? gateway.store.clock.nowUs(), { byHand: true });
          const rows = plan.segments.map((segment) => [
            segment.cameraId,
            formatLocal(segment.startUs, timezone),
            formatLocal(segment.dueUs, timezone),
            segment.ruleId,
            segment.path,
          ]);
          const text = [
            ...(rows.length > 0 ? [table(['camera', 'oldest frame', 'due since', 'rule', 'path'], rows)] : []),
            `Dry run: ${count(plan.due, 'segment')} due, ${plan.held} held, ${plan.late} past the legal limit. --apply deletes what is due.`,
            ...overdueLines(plan),
            ...waitingLines(plan),
            ...(plan.refused === null ? [] : [`Would be refused: ${plan.refused}`]),
          ].join('\n');
          return { json: { applied: false, ...plan, deleted: 0, failed: [] }, text };
        }
        const bar = progressBar('segments');
        try {
          const result = await applyDeletions(gateway.retention, {
            signal,
            byHand: true,
            onProgress: ({ done, total }) => {
              bar.update(done, total);
            },
          });
          const text = [
            `${count(result.deleted, 'segment')} deleted, ${result.held} held, ${result.failed.length} failed, ${result.late} past the legal limit`,
            ...result.failed.map(({ path, reason }) => `  FAILED  ${path}: ${reason}`),
            ...result.problems.map(({ rootId, detail }) => `  NOT JUDGED  ${rootId}: ${detail}`),
            ...overdueLines(result),
            ...waitingLines(result),
            ...(result.refused === null ? [] : [`Refused: ${result.refused}`]),
            ...(result.interrupted ? ['Interrupted; the rest goes at the next sweep.'] : []),
          ].join('\n');
          const clean = result.refused === null && result.failed.length === 0 && result.problems.length === 0;
          if (!clean || result.waiting !== null || result.interrupted) process.exitCode = 1;
          return { json: { applied: true, ...result }, text };
        } finally {
          bar.stop();
        }
      });
    },
  );
}
