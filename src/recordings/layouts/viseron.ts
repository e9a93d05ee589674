/**
 * Viseron: `segments/<camera>/<epoch>.m4s` in UTC. The root is a tier of its storage, or the `segments` folder in it.
 *
 * A `.m4s` is a fragment and cannot be read alone: its index is the `init.mp4` in the same folder, which holds no picture and
 * is not ours to delete. Viseron writes it anew with each segment, so older ones may not fit it any more once the camera's
 * resolution changed: they are indexed, and disclosed, by what it says now.
 */
import {
  firstMatching,
  miss,
  readStem,
  type Layout,
  type LayoutMatch,
  type LayoutMiss,
  type LayoutOptions,
} from './layout.js';
import { templateLayout } from './template.js';

export function viseron(options: LayoutOptions): Layout {
  const form = { timeZone: 'UTC', camera: options.camera, name: 'viseron' };
  const fragments = firstMatching('viseron', [
    templateLayout('segments/%camera/%s.m4s', form),
    templateLayout('%camera/%s.m4s', form),
  ]);
  const decode = (relativePath: string): LayoutMatch | LayoutMiss => {
    const file = readStem(relativePath);
    if (!('kind' in file) && /(?:^|\/)(?:clip_)?init(?:[-_][0-9a-f]+)?$/.test(file.stem) && file.extension === 'mp4') {
      return miss('ignored', 'the initialisation segment of the fragments beside it: no picture in it');
    }
    return fragments.decode(relativePath);
  };
  return { name: 'viseron', decode, encode: (camera, startUs) => fragments.encode(camera, startUs) };
}
