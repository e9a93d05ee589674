import type { Detection, DetectorOptions } from './detector.js';

/** Names of classes in the usual sets (COCO, Pascal VOC, VisDrone, KITTI). Every other class is never masked. */
const persons = new Set(['person', 'people', 'pedestrian', 'rider']);
const vehicles = new Set([
  ...['bicycle', 'car', 'motorcycle', 'motorbike', 'motor', 'bus', 'train', 'truck', 'van', 'tram', 'vehicle'],
  ...['tricycle', 'awning-tricycle'],
]);

export const kindOf = (className: string): Detection['kind'] | null =>
  persons.has(className) ? 'person' : vehicles.has(className) ? 'vehicle' : null;

/** Which classes are looked for, by their place in the model's outputs. */
export function wantedClasses(
  classes: readonly string[],
  options: Pick<DetectorOptions, 'vehicles'>,
): { readonly index: number; readonly name: string; readonly kind: Detection['kind'] }[] {
  return classes.flatMap((name, index) => {
    const kind = kindOf(name);
    return kind === null || (kind === 'vehicle' && !options.vehicles) ? [] : [{ index, name, kind }];
  });
}
