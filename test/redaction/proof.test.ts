/** The proof follows a file while it is written; here a copy that is known to be right is written again, in any pieces and with any change. */
import { closeSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { maskEveryone, type RedactionPlan } from '../../src/domain/redaction-plan.js';
import { renderPlan } from '../../src/redaction/conveyor.js';
import { withOutput } from '../../src/redaction/output-claim.js';
import { startProof, type Proof } from '../../src/redaction/proof.js';
import type { MaskBatch } from '../../src/platform/native.js';
import { look, makeClip } from '../helpers/clips.js';
import { expectNoLeak, openFds, threads } from '../helpers/pipes.js';

const place = mkdtempSync(join(tmpdir(), 'tredive-proof-'));
const growing = join(place, 'growing.mp4');
const [frames, box] = [20, { x: 40, y: 30, w: 60, h: 60 }];
/** As the encoder leaves it: ftyp, free, mdat, moov. */
let ftyp: Buffer, media: Buffer, moov: Buffer;

beforeAll(async () => {
  const [input, output] = [join(place, 'source.mp4'), join(place, 'copy.mp4')];
  await makeClip(input, `testsrc2=s=192x108:r=10:d=2`, '-c:v', 'libx264', '-pix_fmt', 'yuv420p');
  const source = await look(input);
  const drawn = [{ fromFrame: 0, toFrame: frames, box }];
  const plan: RedactionPlan = {
    ...{ version: 2, width: 192, height: 108, frameCount: frames, tracks: [], zones: [] },
    decisions: { ...maskEveryone, drawn },
  };
  const range = { firstFrame: 0, endFrame: frames };
  await withOutput(output, (claim) => renderPlan(input, { plan, ...source }, range, { claim, style: 'solid' }));
  const copy = readFileSync(output);
  const mdatAt = copy.indexOf('mdat') - 4;
  const moovAt = copy.indexOf('moov') - 4;
  ftyp = copy.subarray(0, moovAt);
  moov = copy.subarray(moovAt, mdatAt);
  media = copy.subarray(mdatAt + 8);
});
afterEach(() => {
  rmSync(growing, { force: true });
});
afterAll(() => {
  rmSync(place, { recursive: true, force: true });
});

const batch = (count: number): MaskBatch => ({
  counts: new Uint32Array(count).fill(1),
  rects: Int32Array.from(Array.from({ length: count }, () => [box.x, box.y, box.w, box.h]).flat()),
});
const u32 = (value: number): Buffer => Buffer.from(Uint32Array.of(value).buffer).swap32();
const named = (type: string, body: Buffer = Buffer.alloc(0)): Buffer =>
  Buffer.concat([u32(body.length + 8), Buffer.from(type, 'latin1'), body]);

/** A file that grows as an encoder makes it grow: only appended to, but for the sizes that are put in at its end. */
class Growing {
  readonly #fd = openSync(growing, 'w');
  readonly mdatAt: number;
  #length = 0;
  constructor(before: Buffer = Buffer.concat([ftyp, named('free')])) {
    this.mdatAt = before.length;
    this.append(Buffer.concat([before, u32(0), Buffer.from('mdat')]));
  }
  append(bytes: Buffer): void {
    writeSync(this.#fd, bytes);
    this.#length += bytes.length;
  }
  put(at: number, bytes: Buffer): void {
    writeSync(this.#fd, bytes, 0, bytes.length, at);
    // Back to the end: positioned writes leave the position alone.
  }
  endMedia(): void {
    this.put(this.mdatAt, u32(this.#length - this.mdatAt));
  }
  endLongMedia(): void {
    const size = Buffer.alloc(8);
    size.writeBigUInt64BE(BigInt(this.#length - (this.mdatAt - 8)));
    this.put(this.mdatAt - 8, Buffer.concat([u32(1), Buffer.from('mdat'), size]));
  }
  close(): void {
    closeSync(this.#fd);
  }
}

const start = (): Promise<Proof> => startProof({ path: growing, style: 'solid', niceness: 0 });

/** Runs `write` beside a proof of all frames, and ends the proof as a copy does. */
async function prove(write: (file: Growing) => Promise<void> | void, before?: Buffer): ReturnType<Proof['finish']> {
  const proof = await start();
  try {
    proof.expect(batch(frames));
    const file = new Growing(before);
    await write(file);
    file.close();
    return await proof.finish();
  } finally {
    proof.stop();
  }
}
const allOf = (file: Growing): void => {
  file.append(media);
};
const ended = (file: Growing): void => {
  file.endMedia();
  file.append(moov);
};

test.each([1, 3, 7, 1000, 5000, 1 << 20])(
  'a file that grows by %i bytes is proved',
  async (pieceBytes) => {
    const proved = await prove(async (file) => {
      for (let at = 0; at < media.length; at += pieceBytes) {
        file.append(media.subarray(at, at + pieceBytes));
        // Single bytes where a length is cut in any way, then larger ones: a whole file byte by byte would take minutes.
        if (at < 40 * pieceBytes || at % (997 * pieceBytes) === 0) await sleep(pieceBytes < 10 ? 8 : 30);
      }
      ended(file);
    });
    expect(proved).toMatchObject({ frames, rectangles: frames, mediaBytes: media.length });
  },
  60_000,
);

test('the end of the media data and the index may come in one piece, before or after the proof is at its end', async () => {
  for (const pauseMs of [0, 150]) {
    const proved = await prove(async (file) => {
      file.append(media.subarray(0, media.length - 10));
      await sleep(pauseMs);
      file.append(media.subarray(-10));
      ended(file);
      await sleep(pauseMs);
    });
    expect(proved).toMatchObject({ frames, mediaBytes: media.length });
  }
});

test('the long form of the size', async () => {
  const proved = await prove(async (file) => {
    allOf(file);
    await sleep(60);
    file.endLongMedia();
    file.append(moov);
  });
  expect(proved).toMatchObject({ frames, mediaBytes: media.length });
});

test('there from the beginning, or late', async () => {
  const file = new Growing();
  allOf(file);
  ended(file);
  file.close();
  const proof = await start();
  proof.expect(batch(frames));
  expect(await proof.finish()).toMatchObject({ frames });
  rmSync(growing);
  const late = await start();
  late.expect(batch(frames));
  await sleep(100);
  const again = new Growing();
  allOf(again);
  ended(again);
  again.close();
  expect(await late.finish()).toMatchObject({ frames });
});

test.each([
  ['has no end', allOf, /has no end/],
  [
    'is shorter than it says',
    (file: Growing) => {
      allOf(file);
      file.put(file.mdatAt, u32(media.length + 5000));
    },
    /shorter than it says/,
  ],
  [
    'breaks off in a picture',
    (file: Growing) => {
      file.append(media.subarray(0, media.length - 300));
      ended(file);
    },
    /frame 19|only 19|decode cleanly/,
  ],
  [
    'breaks off between pictures',
    (file: Growing) => {
      let at = 0;
      for (let next = 0; next < media.length; next += 4 + media.readUInt32BE(next)) at = next;
      file.append(media.subarray(0, at));
      ended(file);
    },
    /only 19 of/,
  ],
  [
    'has an empty unit',
    (file: Growing) => {
      file.append(u32(0));
      allOf(file);
      ended(file);
    },
    /empty unit/,
  ],
  [
    'has noise in a picture',
    (file: Growing) => {
      const spoilt = Buffer.from(media);
      for (let at = 3000; at < 9000; at += 1) spoilt[at] = (at * 7) % 251;
      file.append(spoilt);
      ended(file);
    },
    /decode cleanly|not covered|only|more frames|empty unit/,
  ],
])('media data that %s is refused', async (_what, write, why) => {
  const proving = prove(write);
  await expect(proving).rejects.toMatchObject({ code: 'verification-failed' });
  await expect(proving).rejects.toThrow(why);
});

test.each([
  ['moov', named('moov', Buffer.alloc(20)), /a box "moov"/],
  ['uuid', named('uuid', Buffer.from('0123456789abcdef faces')), /a box "uuid"/],
  ['free of a size', named('free', Buffer.alloc(5000)), /a box "free" of 5008/],
  ['free of no size', Buffer.concat([u32(0), Buffer.from('free')]), /a box "free" of 0/],
])('a box %s before the media data is refused', async (_what, box, why) => {
  const proving = prove(
    (file) => {
      allOf(file);
      ended(file);
    },
    Buffer.concat([ftyp, box]),
  );
  await expect(proving).rejects.toMatchObject({ code: 'verification-failed' });
  await expect(proving).rejects.toThrow(why);
});

test('an encoder that writes nothing, or no media data, is found out and nobody waits for it', async () => {
  const proof = await start();
  await expect(proof.finish()).rejects.toThrow(/wrote no file/);
  proof.stop();
  const empty = openSync(growing, 'w');
  writeSync(empty, ftyp);
  closeSync(empty);
  const bare = await start();
  await expect(bare.finish()).rejects.toThrow(/no media data/);
  bare.stop();
});

test('frames that nobody covered, or fewer of them, are refused', async () => {
  for (const [count, why] of [
    [frames - 1, /more frames/],
    [frames + 1, /only 20/],
  ] as const) {
    const proof = await start();
    proof.expect(batch(count));
    const file = new Growing();
    allOf(file);
    ended(file);
    file.close();
    await expect(proof.finish()).rejects.toThrow(why);
    proof.stop();
    rmSync(growing);
  }
});

test('an uncovered place is told as soon as it is seen, while the file grows', async () => {
  const proof = await start();
  const wrong = batch(frames);
  wrong.rects[4 * 3] = 120;
  proof.expect(wrong);
  const file = new Growing();
  allOf(file);
  await expect(proof.done).rejects.toThrow(/frame 3: the rectangle 60x60 at 120,30/);
  file.close();
  proof.stop();
});

test('stopped or aborted at any moment, it leaves no process, no thread and no open file', async () => {
  const children = (): string[] =>
    readdirSync('/proc').filter((pid) => {
      try {
        return (
          /^\d+$/.test(pid) &&
          new RegExp(`^PPid:\\s+${process.pid}$`, 'm').test(readFileSync(`/proc/${pid}/status`, 'utf8'))
        );
      } catch {
        return false;
      }
    });
  await sleep(100);
  const [fdsBefore, threadsBefore, childrenBefore] = [openFds(), threads(), children().length];
  for (let moment = 0; moment < 6; moment += 1) {
    const stop = new AbortController();
    const proof = await startProof({ path: growing, style: 'solid', signal: stop.signal });
    const file = moment % 3 === 0 ? null : new Growing();
    file?.append(media.subarray(0, 5000));
    if (moment > 3) proof.expect(batch(2));
    await sleep(moment * 20);
    const finished = moment % 2 === 0 ? proof.finish().catch((error: unknown) => error) : null;
    if (moment === 5) stop.abort();
    proof.stop();
    if (finished !== null) expect(await finished).toBeInstanceOf(Error);
    await expect(proof.done).rejects.toBeInstanceOf(Error);
    file?.close();
    rmSync(growing, { force: true });
  }
  for (let i = 0; i < 100 && children().length > childrenBefore; i += 1) await sleep(20);
  expect(children().length).toBe(childrenBefore);
  await expectNoLeak(fdsBefore, threadsBefore);
});
