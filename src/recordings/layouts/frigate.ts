/**
 * Frigate 0.12 and later: `YYYY-MM-DD/HH/<camera>/MM.SS.mp4` in UTC, about 10 s a file, start times without a fraction.
 *
 * The root may be Frigate's `recordings` folder or the media folder above it. In the latter case its `exports` are read
 * too: Frigate's own retention never removes them, so they would outlive every limit. Their names are in the container's
 * local time. Frigate 0.11 and older wrote local time under `YYYY-MM/DD/HH`: that is `frigate-0.11` in config/layouts.
 */
import { firstMatching, type Layout, type LayoutOptions } from './layout.js';
import { templateLayout } from './template.js';

export function frigate(options: LayoutOptions): Layout {
  const recording = { timeZone: 'UTC', camera: options.camera, name: 'frigate' };
  const exported = { timeZone: options.timeZone, camera: options.camera, name: 'frigate' };
  return firstMatching('frigate', [
    templateLayout('%Y-%m-%d/%H/%camera/%M.%S', recording),
    templateLayout('recordings/%Y-%m-%d/%H/%camera/%M.%S', recording),
    templateLayout('exports/%camera_%Y%m%d_%H%M%S-%*', exported),
  ]);
}
