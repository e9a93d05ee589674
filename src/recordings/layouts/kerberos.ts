/**
 * Kerberos agent: `<epoch>_<digits>-<fraction>_<name>_<x-y-w-h>_<changes>_<milliseconds>.mp4`, all in one folder, in UTC.
 *
 * The fraction of the second has no leading zeros, so its length stands before it: `3-500` is half a second and `1-7` seven
 * milliseconds; older agents wrote microseconds (`6-474162`). The name of the camera is free text and may hold `_`. While it
 * is recorded, the file has no duration: `…_0-0-0-0_0_0_.mp4`, or `…_0.mp4` on motion; it is renamed when it is closed.
 */
import { usPerSecond, type Micros } from '../../domain/time.js';
import {
  finishedName,
  miss,
  readStem,
  type Layout,
  type LayoutMatch,
  type LayoutMiss,
  type LayoutOptions,
} from './layout.js';
import { readEpoch } from './template.js';

const form =
  /^(?:(?<folder>.+)\/)?(?<s>\d{9,11})_(?<digits>\d)-(?<fraction>\d{1,6})_(?<camera>[^/]+)_\d+-\d+-\d+-\d+_-?\d+_(?<duration>\d+)(?:_[^/_]*)?$/u;
/** The agent's own folders, which name no camera. */
const ownFolders = new Set(['recordings', 'data/recordings']);

export function kerberos(options: LayoutOptions): Layout {
  const decode = (relativePath: string): LayoutMatch | LayoutMiss => {
    const file = readStem(relativePath);
    if ('kind' in file) {
      const finished = file.reason === 'unfinished' ? finishedName(relativePath) : null;
      const inner = finished === null ? null : decode(finished);
      return inner?.kind === 'match' ? { ...file, camera: inner.camera, start: inner.start } : file;
    }
    const groups = form.exec(file.stem)?.groups;
    if (groups === undefined)
      return miss('foreign', 'does not look like <epoch>_<digits>-<fraction>_<name>_…_<duration>');
    const { folder, camera: label = '', fraction = '', digits = '', duration = '' } = groups;
    const own = folder === undefined || ownFolders.has(folder);
    const camera = options.camera ?? (own ? label : `${folder}/${label}`);
    if (Number(digits) !== fraction.length) {
      return miss('misnamed', `"${digits}-${fraction}" is no fraction of a second: it has ${fraction.length} digits`, {
        camera,
      });
    }
    const secondUs = readEpoch(groups['s'] ?? '');
    if (typeof secondUs === 'string') return miss('misnamed', secondUs, { camera });
    const us = secondUs + Number(fraction) * (fraction.length <= 3 ? 1000 : 1);
    const found: LayoutMatch = { kind: 'match', layout: 'kerberos', camera, start: { kind: 'utc', us } };
    return Number(duration) === 0 ? { ...found, open: true } : found;
  };
  const encode = (camera: string, startUs: Micros, extension = 'mp4'): string => {
    const milliseconds = String(Math.floor((startUs % usPerSecond) / 1000));
    const seconds = Math.floor(startUs / usPerSecond);
    return `${seconds}_${milliseconds.length}-${milliseconds}_${camera}_0-0-0-0_-1_60000.${extension}`;
  };
  return { name: 'kerberos', decode, encode };
}
