/** A picture that is followed by nothing for longer is followed by a pause of the recorder. */
const longestPauseS = 1;
/** Of a recording of which nothing but one frame is known: as most cameras count. */
const usualFrameS = 1 / 25;

/**
 * How long the last picture of a copy is shown, which the times of pictures do not say: until the next one of the source; where
 * that has none, as long as the one before it; of a single one 1/25 s. Never longer than a second, unless all of them last
 * longer: when a recorder pauses after it, the copy does not last until it goes on.
 *
 * Times of pictures and the result are in units of which there are `perSecond`; `next` is that of the source's next picture.
 */
export function lastFrameDuration(times: ArrayLike<number>, next: number | null, perSecond: number): number {
  const last = times.length - 1;
  const at = (frame: number): number => times[frame] ?? 0;
  const own = next !== null ? next - at(last) : last > 0 ? at(last) - at(last - 1) : usualFrameS * perSecond;
  let shortest = last > 0 ? Infinity : 0;
  for (let frame = 1; frame <= last; frame += 1) shortest = Math.min(shortest, at(frame) - at(frame - 1));
  return Math.min(own, Math.max(longestPauseS * perSecond, shortest));
}
