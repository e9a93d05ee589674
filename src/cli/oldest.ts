import type { Command } from 'commander';
import { formatLocal, usPerSecond } from '../domain/time.js';
import { keepOldest, latenessWindowUs, type MeasuredCamera } from '../retention/oldest-record.js';
import { latenessSince } from '../retention/lateness.js';
import type { OldestFile } from '../retention/oldest.js';
import { count, define, table, withGateway, type CommonOptions } from './command.js';

/** `3 d 4 h`, `2 h 5 min`, `40 s`, with its sign. */
export function span(us: number): string {
  const seconds = Math.floor(Math.abs(us) / usPerSecond);
  const sign = us < 0 ? '-' : '';
  if (seconds < 60) return `${sign}${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${sign}${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${sign}${hours} h ${minutes % 60} min` : `${sign}${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export function oldest(program: Command): void {
  define<CommonOptions & { keep?: true }>(
    program
      .command('oldest')
      .description(
        'the oldest frame on disk against the limit, by camera: walks the roots and does not ask the index; exit 3 if anything is too old or not indexed',
      )
      .option('--keep', 'also note the result in the log and open tasks, as "serve" does every day'),
    ({ options, signal }) =>
      withGateway(options, signal, async (gateway) => {
        const { timezone } = gateway.config.site;
        const { marginUs } = gateway.retention;
        const seen = await gateway.findOldest(signal);
        const { db } = gateway.store;
        const late =
          options.keep === true
            ? new Map(
                (await keepOldest(gateway.store, marginUs, seen)).cameras.map((one) => [one.cameraId, one.lateness]),
              )
            : await latenessSince(db, seen.atUs - latenessWindowUs, marginUs);
        const lateOf = (cameraId: string | null): MeasuredCamera['lateness'] => late.get(cameraId ?? '') ?? null;
        const when = (file: OldestFile | null): string => (file === null ? '-' : formatLocal(file.startUs, timezone));
        const rows = seen.cameras.map((camera) => {
          const lateness = lateOf(camera.cameraId);
          return [
            camera.cameraId ?? '(unknown)',
            String(camera.files),
            when(camera.oldest),
            camera.oldest === null ? '-' : formatLocal(camera.oldest.legalUs, timezone),
            camera.oldest === null ? '-' : span(camera.oldest.leftUs),
            camera.held === 0 ? '-' : `${camera.held} from ${when(camera.oldestHeld)}`,
            lateness?.worstUs === undefined || lateness.worstUs === null ? '-' : span(lateness.worstUs),
            String(lateness?.misses ?? 0),
          ];
        });
        const head = [
          'camera',
          'files',
          'oldest frame',
          'legal limit',
          'time left',
          'held',
          'worst lateness',
          'misses',
        ];
        const text = [
          table(head, rows),
          ...seen.findings.map(({ what, cameraId, rootId, path, startUs, source, leftUs }) => {
            const whose = cameraId ?? 'unknown camera';
            const age = `${formatLocal(startUs, timezone)} (${source})`;
            return what === 'over-limit'
              ? `  OVER THE LIMIT by ${span(-leftUs)}  ${rootId}: ${path} (${whose}), oldest frame ${age}`
              : `  NOT IN THE INDEX  ${rootId}: ${path} (${whose}), oldest frame ${age}`;
          }),
          ...seen.copies.map(
            ({ rootId, place, kind, files, overLimit, oldest: first, unseen }) =>
              `  KEPT IN A ${kind.toUpperCase()}  ${rootId}: ${place}: ${count(files, 'file')}, ${overLimit} over the limit, oldest frame ${first === null ? '-' : `${formatLocal(first.startUs, timezone)} (${first.source})`}${unseen === null ? '' : `; not seen in full: ${unseen}`}`,
          ),
          ...seen.problems.map(({ rootId, detail }) => `  NOT SEEN  ${rootId}: ${detail}`),
          seen.ok
            ? 'Nothing on disk is past its limit, and the index knows all of it.'
            : `${count(sum(seen.cameras, 'overLimit'), 'file')} over the limit, ${sum(seen.cameras, 'notIndexed')} not in the index, ${sum(seen.copies, 'overLimit')} over the limit in copies that others keep, ${count(seen.problems.length, 'place')} not seen.`,
        ].join('\n');
        const cameras = seen.cameras.map((camera) => ({ ...camera, lateness: lateOf(camera.cameraId) }));
        return { json: { ...seen, cameras }, text, ok: seen.ok };
      }),
  );
}

const sum = <K extends string>(items: readonly Readonly<Record<K, number>>[], key: K): number =>
  items.reduce((total, item) => total + item[key], 0);
