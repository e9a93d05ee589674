import type { Command } from 'commander';
import { decideAudio } from '../cameras/audio-basis.js';
import { measureClocks } from '../cameras/measure-clocks.js';
import { gapsOfCamera } from '../domain/camera.js';
import { hourUs } from '../domain/retention-rules/index.js';
import { formatLocal } from '../domain/time.js';
import { GatewayError } from '../errors.js';
import { cancelRetention, confirmRetention, previewDays, proposeRetention } from '../retention/policy.js';
import { listCameras } from '../store/cameras.js';
import { measurementsOf } from '../store/clock-measurements.js';
import { openChanges } from '../store/retention-changes.js';
import { count, define, table, withGateway, type CommonOptions } from './command.js';
import { clockTargets } from './discover.js';
import { identify, withIdentity, type IdentityOptions } from './identity.js';

export function camera(program: Command): void {
  const group = program.command('camera').description('what is known of each camera, and how long its footage is kept');

  define<CommonOptions>(
    group.command('list').description('all cameras, and changes of a period that do not count yet'),
    ({ options, signal }) =>
      withGateway(options, signal, ({ store, config }) => {
        const changes = openChanges(store.db);
        const cameras = listCameras(store.db);
        const local = (us: number): string => formatLocal(us, config.site.timezone);
        const rows = cameras.map((camera) => {
          const { cameraId, class: name, retentionDays, facts, audioAllowed } = camera;
          const sound = audioAllowed ? 'on' : 'off';
          const known = [cameraId, name, String(retentionDays), facts.area, facts.polcam, sound];
          const lacks = gapsOfCamera(camera).join(' ');
          const change = changes.find((one) => one.cameraId === cameraId);
          if (change === undefined) return [...known, lacks, ''];
          const from = change.effectiveUs === null ? 'once confirmed' : `from ${local(change.effectiveUs)}`;
          return [...known, lacks, `${change.to.retentionDays} days ${from} (${change.id})`];
        });
        const text = table(['camera', 'class', 'days', 'area', 'POLCAM', 'sound', 'not said', 'changes to'], rows);
        const listed = cameras.map((camera) => ({ ...camera, missing: gapsOfCamera(camera) }));
        return Promise.resolve({ json: { cameras: listed, changes }, text });
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

  define<CommonOptions & { measure?: true }>(
    group
      .command('clocks')
      .description('how far clocks were from the gateway’s, newest first; with --measure all are asked now')
      .argument('[camera]')
      .option('--measure', 'ask every camera that has an address'),
    ({ args: [cameraId], options, signal }) =>
      withGateway(options, signal, async ({ store, config }) => {
        const { problems } =
          options.measure === true
            ? await measureClocks(store, { targetOf: clockTargets(config), signal })
            : { problems: [] };
        const ids = cameraId === undefined ? listCameras(store.db).map((one) => one.cameraId) : [cameraId];
        const clocks = ids.flatMap((id) => measurementsOf(store.db, id, cameraId === undefined ? 2 : 1000));
        const rows = clocks.map((one) => [
          ...[one.cameraId, one.clock, formatLocal(one.measuredUs, config.site.timezone)],
          ...[(one.offsetMs / 1000).toFixed(1), (one.uncertaintyMs / 1000).toFixed(1)],
        ]);
        const text = [
          table(['camera', 'clock', 'measured', 'ahead by s', '± s'], rows),
          ...problems.map(({ address, what, remedy }) => `  problem ${address ?? ''}: ${what} ${remedy}`),
        ].join('\n');
        return { json: { clocks, problems }, text };
      }),
  );

  define<IdentityOptions & { approve?: true; withdraw?: true }>(
    withIdentity(
      group
        .command('audio')
        .description('approve the written basis for sound of a camera, or take that back (role legal)')
        .argument('<camera>')
        .option('--approve', 'sound may go along from now on')
        .option('--withdraw', 'it may not any more'),
    ),
    ({ args: [cameraId = ''], options, signal }) =>
      withGateway(options, signal, async (gateway) => {
        if ((options.approve === true) === (options.withdraw === true)) {
          throw new GatewayError('usage', 'Say either --approve or --withdraw.', {
            remedy: 'tredive camera audio --help',
          });
        }
        const user = await identify(gateway, options);
        const { audioAllowed, facts } = decideAudio(gateway, user, cameraId, options.approve === true);
        const text = `Sound of camera "${cameraId}" is ${audioAllowed ? `on: ${facts.audioBasis ?? ''}` : 'off'}.`;
        return { json: { cameraId, audioAllowed, facts }, text };
      }),
  );
}
