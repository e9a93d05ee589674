/**
 * Fragments: a `.m4s` (Viseron, HLS) holds pictures without the index they need. That is in the initialisation segment beside it,
 * which all fragments of a folder share and which holds no picture. One behind the other they are a whole MP4.
 */

/** Path of the initialisation segment that a file cannot be read without; null for a file that stands alone. */
export const initOf = (path: string): string | null =>
  path.slice(-4).toLowerCase() === '.m4s' ? `${path.slice(0, path.lastIndexOf('/') + 1)}init.mp4` : null;

/** A few hundred bytes for each track; more is something else. */
export const maxInitBytes = 2 ** 20;
