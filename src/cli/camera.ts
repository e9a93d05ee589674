import type { Command } from 'commander';
import { hourUs } from '../domain/retention-rules/index.js';
import { formatLocal } from '../domain/time.js';
import { cancelRetention, confirmRetention, previewDays, proposeRetention } from '../retention/policy.js';
import { listCameras } from '../store/cameras.js';
import { openChanges } from '../store/retention-changes.js';
import { count, define, table, withGateway, type CommonOptions } from './command.js';
import { identify, withIdentity, type IdentityOptions } from './identity.js';

export function camera(program: Command): void {
  const group = program.command('camera').description('how long the footage of each camera is kept');

  define<CommonOptions>(
    group.command('list').description('all cameras, and changes of a period that do not count yet'),
    ({ options, signal }) =>
      withGateway(options, signal, ({ store, config }) => {
        const changes = openChanges(store.db);
        const cameras = listCameras(store.db);
        const local = (us: number): string => formatLocal(us, config.site.timezone);
        const rows = cameras.map(({ cameraId, class: name, retentionDays }) => {
          const change = changes.find((one) => one.cameraId === cameraId);
          if (change === undefined) return [cameraId, name, String(retentionDays), ''];
          const from = change.effectiveUs === null ? 'once confirmed' : `from ${local(change.effectiveUs)}`;
          return [cameraId, name, String(retentionDays), `${change.to.retentionDays} days ${from} (${change.id})`];
        });
        const text = table(['camera', 'class', 'days', 'changes to'], rows);
        return Promise.resolve({ json: { cameras, changes }, text });
      }),
  );

  define<IdentityOptions & { days: string; reason?: string; preview?: true }>(
    withIdentity(
      group
        .command('retention')
        .description('propose another period (role admin), or with --preview only say what it would delete')
        .argument('<camera>')
        .requiredOption('--days <days>', 'whole days of 24 hours')
        .option('--reason <text>', 'why')
        .option('--preview', 'change nothing'),
    ),
    ({ args: [cameraId = ''], options, signal }) =>
      withGateway(options, signal, async ({ retention, ...gateway }) => {
        const retentionDays = Number(options.days);
        const says = (preview: ReturnType<typeof previewDays>): string =>
          preview === null
            ? 'A longer period counts once a second person has confirmed it: "tredive camera confirm".'
            : `From ${formatLocal(preview.atUs, gateway.config.site.timezone)} on it deletes ${count(preview.segments, 'segment')} (${(preview.footageUs / hourUs).toFixed(1)} h) that are kept now; ${preview.held} more are held.`;
        if (options.preview === true) {
          const preview = previewDays(retention, cameraId, retentionDays);
          return { json: { preview }, text: says(preview) };
        }
        const user = await identify({ retention, ...gateway }, options);
        const proposed = proposeRetention(retention, user, { cameraId, retentionDays, reason: options.reason ?? '' });
        return { json: proposed, text: `Change ${proposed.change.id}. ${says(proposed.preview)}` };
      }),
  );

  define<IdentityOptions>(
    withIdentity(
      group.command('confirm').description('the second yes to a longer period (role admin or legal)').argument('<id>'),
    ),
    ({ args: [id = ''], options, signal }) =>
      withGateway(options, signal, async (gateway) => {
        const result = confirmRetention(gateway.retention, await identify(gateway, options), id);
        const text = result.applied
          ? 'The longer period counts from now on.'
          : 'The change of the configuration file is now proposed by you; another person has to confirm it.';
        return { json: { id, ...result }, text };
      }),
  );

  define<IdentityOptions>(
    withIdentity(
      group
        .command('cancel')
        .description('withdraw a change that does not count yet (role admin or legal)')
        .argument('<id>'),
    ),
    ({ args: [id = ''], options, signal }) =>
      withGateway(options, signal, async (gateway) => {
        const change = cancelRetention(gateway.retention, await identify(gateway, options), id);
        return { json: { change }, text: `Camera "${change.cameraId}" keeps ${change.from.retentionDays} days.` };
      }),
  );
}
