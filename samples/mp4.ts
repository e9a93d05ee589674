/** The little of MP4 that a sample site needs: boxes of a 32-bit size and a four-letter type, some of them in one another. */

interface Mp4Box {
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

function* boxesOf(bytes: Buffer, from: number, to: number): Generator<Mp4Box> {
  let start = from;
  while (start + 8 <= to) {
    const end = start + bytes.readUInt32BE(start);
    if (end < start + 8 || end > to) throw new Error(`The clip has a box of a wrong size at ${start}.`);
    yield { type: bytes.toString('latin1', start + 4, start + 8), start, end };
    start = end;
  }
}

const secondsFrom1904To1970 = 2_082_844_800;

/** A copy of a clip whose container says that it was made at this instant, as a recorder's would. */
export function stampCreation(clip: Buffer, atUs: number): Buffer {
  const bytes = Buffer.from(clip);
  const seconds = Math.floor(atUs / 1_000_000) + secondsFrom1904To1970;
  const walk = (from: number, to: number): void => {
    for (const { type, start, end } of boxesOf(bytes, from, to)) {
      if (type === 'moov' || type === 'trak' || type === 'mdia') walk(start + 8, end);
      if (type !== 'mvhd' && type !== 'tkhd' && type !== 'mdhd') continue;
      if (bytes.readUInt8(start + 8) !== 0) throw new Error(`The clip has a ${type} with 64-bit times.`);
      bytes.writeUInt32BE(seconds, start + 12);
      bytes.writeUInt32BE(seconds, start + 16);
    }
  };
  walk(0, bytes.length);
  return bytes;
}

/** What a recorder leaves that writes its index last and loses power: the head and half of the pictures, no index. */
export function cutOff(clip: Buffer): Buffer {
  const boxes = [...boxesOf(clip, 0, clip.length)];
  const parts = boxes.flatMap(({ type, start, end }) => {
    if (type === 'ftyp') return [clip.subarray(start, end)];
    return type === 'mdat' ? [clip.subarray(start, start + Math.floor((end - start) / 2))] : [];
  });
  return Buffer.concat(parts);
}
