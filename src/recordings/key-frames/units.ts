/** What the first bytes of a frame say of it, where its container does not: whether it can be decoded without any other. */

/** True for a key frame, false for another one, null where these bytes do not tell. `codec` by ffmpeg's name. */
export function isKeyFrame(codec: string, bytes: Buffer): boolean | null {
  if (codec === 'mjpeg') return true;
  // From start code to start code: 00 00 01, and then what the unit is.
  for (
    let at = bytes.indexOf('\x00\x00\x01', 0, 'latin1');
    at !== -1;
    at = bytes.indexOf('\x00\x00\x01', at + 3, 'latin1')
  ) {
    const kind = bytes[at + 3];
    if (kind === undefined) break;
    const verdict =
      codec === 'h264' ? ofH264(kind & 31) : codec === 'hevc' ? ofHevc((kind >> 1) & 63) : ofMpeg(kind, bytes[at + 4]);
    if (verdict !== null) return verdict;
  }
  return null;
}

/** An access unit with parameter sets (7, 8) in it is one where recorders begin; 5 is the picture itself. */
const ofH264 = (type: number): boolean | null =>
  type === 5 || type === 7 ? true : type >= 1 && type <= 4 ? false : null;
/** 32 to 34 are parameter sets, 16 to 23 pictures where decoding may begin. */
const ofHevc = (type: number): boolean | null =>
  (type >= 16 && type <= 23) || (type >= 32 && type <= 34) ? true : type <= 15 ? false : null;
/** MPEG-4 part 2: a picture (B6) with its kind in the two highest bits. MPEG-2: a sequence (B3) or group (B8) header. */
function ofMpeg(kind: number, next: number | undefined): boolean | null {
  if (kind === 0xb3 || kind === 0xb8) return true;
  if (kind === 0xb6) return next === undefined ? null : next >> 6 === 0;
  return null;
}
