/** Key frames of AVI: from its table (idx1) where there is one, else from the first bytes of every frame. */
import type { BoundedFile } from '../containers/bounded-file.js';
import { ProbeRefusal } from '../containers/summary.js';
import type { Collector } from './collect.js';
import { isKeyFrame } from './units.js';
import { windowOf, type FileWindow } from './window.js';

/** Of two hours at 30 frames a second with sound. */
const maxTableBytes = 16 * 2 ** 20;
const maxHeaderBytes = 2 ** 20;
const lookBytes = 64;
const isKeyFlag = 0x10;

interface Video {
  /** How its chunks begin: the number of the stream. */
  readonly mark: string;
  readonly usPerFrame: number;
}

/** Throws ProbeRefusal, LimitReached or the system's error. `codec` as the index has it. */
export async function aviKeyFrames(file: BoundedFile, codec: string, collect: Collector): Promise<void> {
  const window = windowOf(file, 4096);
  let video: Video | null = null;
  let mediaAt: number | null = null;
  for (let at = 12; at + 8 <= window.sizeBytes;) {
    const head = Buffer.from(await window.bytes(at, 12));
    const type = head.toString('latin1', 0, 4);
    const length = head.readUInt32LE(4);
    const list = type === 'LIST' ? head.toString('latin1', 8, 12) : '';
    if (list === 'hdrl') {
      if (length > maxHeaderBytes) throw new ProbeRefusal('damaged', 'a header larger than any recorder writes');
      video = videoIn(await window.bytes(at + 12, Math.max(0, length - 4)));
    }
    if (list === 'movi') mediaAt ??= at;
    if (type === 'idx1' && video !== null && length <= maxTableBytes) {
      fromTable(await window.bytes(at + 8, length), video, collect);
      return;
    }
    at += 8 + length + (length % 2);
  }
  if (video === null) throw new ProbeRefusal('no-video', 'no video stream');
  if (mediaAt !== null) await fromFrames(window, mediaAt, video, codec, collect);
}

function videoIn(header: Buffer): Video | null {
  let number = 0;
  // The order of the lists is the number of the stream.
  for (let at = header.indexOf('strh', 0, 'latin1'); at !== -1; at = header.indexOf('strh', at + 4, 'latin1')) {
    const strh = header.subarray(at + 8);
    if (strh.length < 36) return null;
    if (strh.toString('latin1', 0, 4) === 'vids') {
      const rate = strh.readUInt32LE(24);
      if (rate === 0) throw new ProbeRefusal('damaged', 'no frame rate');
      return { mark: String(number).padStart(2, '0'), usPerFrame: (strh.readUInt32LE(20) / rate) * 1e6 };
    }
    number += 1;
  }
  return null;
}

const isFrame = (type: string, { mark }: Video): boolean => type === `${mark}dc` || type === `${mark}db`;

function fromTable(table: Buffer, video: Video, collect: Collector): void {
  let frame = 0;
  for (let at = 0; at + 16 <= table.length; at += 16) {
    if (!isFrame(table.toString('latin1', at, at + 4), video)) continue;
    if ((table.readUInt32LE(at + 4) & isKeyFlag) !== 0) collect.add(frame * video.usPerFrame);
    frame += 1;
  }
}

async function fromFrames(
  window: FileWindow,
  mediaAt: number,
  video: Video,
  codec: string,
  collect: Collector,
): Promise<void> {
  let frame = 0;
  for (let at = mediaAt + 12; at + 8 <= window.sizeBytes;) {
    const head = await window.bytes(at, 8 + lookBytes);
    const type = head.toString('latin1', 0, 4);
    const length = head.readUInt32LE(4);
    if (type === 'LIST' && head.toString('latin1', 8, 12) === 'rec ') {
      at += 12;
      continue;
    }
    if (!/^(?:\d\d[a-z]{2}|ix\d\d|JUNK)$/.test(type)) return;
    if (isFrame(type, video)) {
      // Where the bytes do not tell, only the first one is sure to be one.
      if (isKeyFrame(codec, head.subarray(8, 8 + length)) ?? frame === 0) collect.add(frame * video.usPerFrame);
      frame += 1;
    }
    at += 8 + length + (length % 2);
  }
}
