import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { maskEveryone } from '../../src/domain/redaction-plan.js';
import { readCopyShape, type CopyShape } from '../../src/redaction/mp4-shape.js';
import { defaultRedaction, redactFile } from '../../src/redaction/redact.js';
import { bothBinaries, ffmpeg, makeClip, packetTimes } from '../helpers/clips.js';

const place = mkdtempSync(join(tmpdir(), 'tredive-shape-'));
const at = (name: string): string => join(place, name);
const binaries = await bothBinaries();
const x264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p'];

/** A box with its children where it has some; `head` is what comes before them. */
interface Node {
  type: string;
  head: Buffer;
  children: Node[];
}
const headBytes: Record<string, number> = {
  ...{ moov: 0, trak: 0, mdia: 0, minf: 0, dinf: 0, stbl: 0, udta: 0 },
  ...{ stsd: 8, avc1: 78 },
};

function parse(bytes: Buffer): Node[] {
  const nodes: Node[] = [];
  for (let start = 0; start < bytes.length;) {
    const size = bytes.readUInt32BE(start);
    const type = bytes.toString('latin1', start + 4, start + 8);
    const body = bytes.subarray(start + 8, start + size);
    const head = headBytes[type];
    nodes.push(
      head === undefined
        ? { type, head: Buffer.from(body), children: [] }
        : { type, head: Buffer.from(body.subarray(0, head)), children: parse(body.subarray(head)) },
    );
    start += size;
  }
  return nodes;
}

const write = (nodes: Node[]): Buffer =>
  Buffer.concat(
    nodes.map(({ type, head, children }) => {
      const body = Buffer.concat([head, write(children)]);
      const front = Buffer.alloc(8);
      front.writeUInt32BE(body.length + 8);
      front.write(type, 4, 'latin1');
      return Buffer.concat([front, body]);
    }),
  );

const box = (type: string, body: string | Buffer = '', children: Node[] = []): Node => ({
  type,
  head: typeof body === 'string' ? Buffer.from(body, 'hex') : body,
  children,
});

function find(nodes: Node[], path: string): Node {
  const [first, ...rest] = path.split('/');
  const node = nodes.find(({ type }) => type === first);
  if (node === undefined) throw new Error(`no ${path}`);
  return rest.length === 0 ? node : find(node.children, rest.join('/'));
}

const stbl = 'moov/trak/mdia/minf/stbl';

/** The file after a change of its boxes; chunks still point to where the pictures are. */
function changed(file: Buffer, change: (nodes: Node[], of: (path: string) => Node) => void): Buffer {
  const nodes = parse(file);
  const mdatAt = (all: Node[]): number => {
    const until = all.findIndex(({ type }) => type === 'mdat');
    return write(all.slice(0, until)).length;
  };
  const before = mdatAt(nodes);
  change(nodes, (path) => find(nodes, path));
  const shift = mdatAt(nodes) - before;
  const { head } = find(nodes, `${stbl}/stco`);
  for (let entry = 8; entry + 4 <= head.length; entry += 4)
    head.writeUInt32BE((head.readUInt32BE(entry) + shift) >>> 0, entry);
  return write(nodes);
}

async function shapeOf(bytes: Buffer): Promise<CopyShape> {
  writeFileSync(at('changed.mp4'), bytes);
  return readCopyShape(at('changed.mp4'));
}

let copy: Buffer;
beforeAll(async () => {
  await makeClip(
    at('source.mp4'),
    'testsrc2=s=192x108:r=25:d=4',
    ...['-vf', "select='not(mod(n,3))+not(mod(n,7))'", '-vsync', '0', '-enc_time_base', '-1'],
    ...x264,
  );
  for (const [name, path] of binaries) {
    process.env['TREDIVE_FFMPEG'] = path;
    const output = at(`copy-${name}.mp4`);
    await redactFile({ input: at('source.mp4'), output, decisions: maskEveryone, settings: defaultRedaction });
  }
  delete process.env['TREDIVE_FFMPEG'];
  copy = readFileSync(at(`copy-${binaries.at(-1)?.[0] ?? ''}.mp4`));
});
afterAll(() => {
  rmSync(place, { recursive: true, force: true });
});

test.each(binaries)('a copy by ffmpeg %s is what it must be, with the times that others read', async (name) => {
  const path = at(`copy-${name}.mp4`);
  let [bytes, seen] = [0, 0];
  const shape = await readCopyShape(path, {
    onSample: (sample, index) => {
      expect(index).toBe(seen);
      seen += 1;
      bytes += sample.length;
    },
  });
  expect(shape).toMatchObject({ width: 192, height: 108, samples: { count: 44 } });
  expect(shape.samples.keys).toBeGreaterThanOrEqual(1);
  // The last two follow each other in the source, of 25 pictures a second.
  expect(shape.lastDuration).toBe(shape.timescale / 25);
  const times = await packetTimes(path);
  expect(Array.from(shape.times, (ticks) => Number(ticks) / shape.timescale)).toEqual(times);
  expect([seen, bytes]).toEqual([44, shape.mdat.size]);
  expect(shape.sampleSizes.reduce((sum, size) => sum + size, 0)).toBe(shape.mdat.size);
  expect(shape.mdat.offset + shape.mdat.size).toBe(readFileSync(path).length);
});

test('taken apart and put together it is accepted: what follows refuses only the change', async () => {
  expect((await shapeOf(changed(copy, () => undefined))).samples.count).toBe(44);
  expect(changed(copy, () => undefined).equals(copy)).toBe(true);
});

const u32 = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, i) => bytes.writeUInt32BE(value >>> 0, 4 * i));
  return bytes;
};

const changes: [string, RegExp, (nodes: Node[], of: (path: string) => Node) => void][] = [
  [
    'an edit list',
    /trak\/edts has no place/,
    (_n, of) => of('moov/trak').children.push(box('edts', '', [box('elst', u32(0, 1, 500, 40000, 65536))])),
  ],
  ['a tag', /udta/, (_n, of) => of('moov/udta').children.push(box('name', Buffer.from('Jens')))],
  ['user data in the track', /trak\/udta/, (_n, of) => of('moov/trak').children.push(box('udta', Buffer.from('Jens')))],
  ['metadata', /moov\/meta/, (_n, of) => of('moov').children.push(box('meta', '00000000'))],
  ['a second track', /trak is there twice/, (_n, of) => of('moov').children.push(of('moov/trak'))],
  ['fragments', /moov\/mvex/, (_n, of) => of('moov').children.push(box('mvex', ''))],
  ['a fragment', /moof/, (nodes) => nodes.push(box('moof', ''))],
  ['a private box', /uuid/, (nodes) => nodes.push(box('uuid', Buffer.alloc(16)))],
  ['a second mdat', /second mdat/, (nodes) => nodes.push(box('mdat', Buffer.from('faces')))],
  ['a second moov', /second moov/, (nodes) => nodes.push(nodes[1] ?? box('moov'))],
  ['text in free space', /free: the space is not zero/, (nodes) => nodes.push(box('free', Buffer.from('Jens')))],
  ['much free space', /free space/, (nodes) => nodes.push(box('free', Buffer.alloc(4096)))],
  ['another brand', /brand/, (_n, of) => of('ftyp').head.write('Jens', 12)],
  ['a time of making', /time of making/, (_n, of) => of('moov/mvhd').head.writeUInt32BE(3_800_000_000, 4)],
  [
    'a time of making of the media',
    /time of making/,
    (_n, of) => of('moov/trak/mdia/mdhd').head.writeUInt32BE(3_800_000_000, 8),
  ],
  [
    'a turned picture',
    /the matrix/,
    (_n, of) => u32(0, 65536, 0, -65536, 0, 0, 192 * 65536, 0, 1 << 30).copy(of('moov/trak/tkhd').head, 40),
  ],
  ['a turned movie', /the matrix/, (_n, of) => of('moov/mvhd').head.writeUInt32BE(0, 36)],
  ['a shifted picture', /the matrix/, (_n, of) => of('moov/trak/tkhd').head.writeUInt32BE(90 << 16, 64)],
  ['a disabled track', /flags/, (_n, of) => of('moov/trak/tkhd').head.writeUInt8(2, 3)],
  ['a smaller shown size', /to be shown/, (_n, of) => of('moov/trak/tkhd').head.writeUInt32BE(96 << 16, 76)],
  ['a short movie', /lasts/, (_n, of) => of('moov/mvhd').head.writeUInt32BE(700, 16)],
  ['a long track', /lasts/, (_n, of) => of('moov/trak/tkhd').head.writeUInt32BE(90_000, 20)],
  ['short media', /lasts/, (_n, of) => of('moov/trak/mdia/mdhd').head.writeUInt32BE(700, 16)],
  ['a language', /language/, (_n, of) => of('moov/trak/mdia/mdhd').head.writeUInt16BE(0x1234, 20)],
  ['a name of the handler', /hdlr/, (_n, of) => of('moov/trak/mdia/hdlr').head.write('JensHandler', 24)],
  ['another handler', /hdlr/, (_n, of) => of('moov/trak/mdia/hdlr').head.write('meta', 8)],
  ['pictures from another file', /dref/, (_n, of) => of('moov/trak/mdia/minf/dinf/dref').head.writeUInt8(0, 19)],
  ['times that move pictures', /ctts has no place/, (_n, of) => of(stbl).children.push(box('ctts', u32(0, 1, 44, 9)))],
  ['sample groups', /sgpd has no place/, (_n, of) => of(stbl).children.push(box('sgpd', u32(0, 0)))],
  ['a subtitle entry', /stsd/, (_n, of) => (of(`${stbl}/stsd`).children = [box('tx3g', '')])],
  ['two sample entries', /avc1 is there twice/, (_n, of) => of(`${stbl}/stsd`).children.push(of(`${stbl}/stsd/avc1`))],
  ['a name of the compressor', /avc1/, (_n, of) => of(`${stbl}/stsd/avc1`).head.write('\x04Jens', 42)],
  ['another width', /pictures are/, (_n, of) => of(`${stbl}/stsd/avc1`).head.writeUInt16BE(96, 24)],
  ['an ICC profile', /colr/, (_n, of) => of(`${stbl}/stsd/avc1`).children.push(box('colr', Buffer.from('prof Jens')))],
  [
    'a clean aperture',
    /clap has no place/,
    (_n, of) => of(`${stbl}/stsd/avc1`).children.push(box('clap', Buffer.alloc(32))),
  ],
  [
    'bytes after the parameter sets',
    /avcC/,
    (_n, of) => {
      const avcC = of(`${stbl}/stsd/avc1/avcC`);
      avcC.head = Buffer.concat([avcC.head, Buffer.from('Jens')]);
    },
  ],
  [
    'a picture shown for no time',
    /no time/,
    (_n, of) => {
      const { head } = of(`${stbl}/stts`);
      head.writeUInt32BE(head.readUInt32BE(12) * 2, 12);
      head.writeUInt32BE(0, 20);
    },
  ],
  [
    'a last picture shown for no time',
    /picture 43 is shown for no time/,
    (_n, of) => {
      const stts = of(`${stbl}/stts`);
      const [head, lastRun] = [Buffer.concat([stts.head, u32(1, 0)]), stts.head.length - 8];
      head.writeUInt32BE(head.readUInt32BE(4) + 1, 4);
      head.writeUInt32BE(head.readUInt32BE(lastRun) - 1, lastRun);
      stts.head = head;
    },
  ],
  [
    'a picture without a time',
    /stts|lasts/,
    (_n, of) => {
      const { head } = of(`${stbl}/stts`);
      head.writeUInt32BE(head.readUInt32BE(8) + 1, 8);
    },
  ],
  ['fewer times', /stts/, (_n, of) => of(`${stbl}/stts`).head.writeUInt32BE(1, 4)],
  [
    'no list of key pictures',
    /key picture/,
    (_n, of) => {
      const node = of(stbl);
      node.children = node.children.filter(({ type }) => type !== 'stss');
    },
  ],
  ['a key picture that is none', /key picture/, (_n, of) => (of(`${stbl}/stss`).head = u32(0, 2, 1, 9))],
  ['key pictures out of order', /stss/, (_n, of) => (of(`${stbl}/stss`).head = u32(0, 2, 1, 1))],
  [
    'a hidden last picture',
    /stts|chunks/,
    (_n, of) => {
      const stsz = of(`${stbl}/stsz`);
      stsz.head = Buffer.from(stsz.head.subarray(0, -4));
      stsz.head.writeUInt32BE(43, 8);
    },
  ],
  ['a chunk elsewhere', /chunk 0 begins/, (_n, of) => of(`${stbl}/stco`).head.writeUInt32BE(24, 8)],
  ['a chunk outside of the file', /chunk 0 begins/, (_n, of) => of(`${stbl}/stco`).head.writeUInt32BE(0xfffffff0, 8)],
  ['two lists of chunks', /one list of chunks/, (_n, of) => of(stbl).children.push(box('co64', u32(0, 0)))],
  ['another sample entry', /stsc/, (_n, of) => of(`${stbl}/stsc`).head.writeUInt32BE(2, 16)],
  [
    'bytes that are no picture',
    /beside its pictures/,
    (_n, of) => {
      const mdat = of('mdat');
      mdat.head = Buffer.concat([mdat.head, Buffer.from('Jens')]);
    },
  ],
  [
    'a count beyond all sense',
    /stsz has 4294967295 samples/,
    (_n, of) => of(`${stbl}/stsz`).head.writeUInt32BE(0xffffffff, 8),
  ],
];

test.each(changes)('with %s it is refused', async (_what, why, change) => {
  const refused = shapeOf(changed(copy, change));
  await expect(refused).rejects.toMatchObject({ code: 'verification-failed' });
  await expect(refused).rejects.toThrow(why);
});

/** Puts a unit before those of the first sample, with sizes and chunk as they must be for it. */
const withUnit = (unit: Buffer): Buffer =>
  changed(copy, (_n, of) => {
    const [mdat, stsz] = [of('mdat'), of(`${stbl}/stsz`)];
    mdat.head = Buffer.concat([u32(unit.length), unit, mdat.head]);
    stsz.head.writeUInt32BE(stsz.head.readUInt32BE(12) + 4 + unit.length, 12);
  });

describe('in a sample', () => {
  test.each([
    ['a text in SEI', Buffer.concat([Buffer.from('0605', 'hex'), Buffer.from('\x04Jens\x80')]), /type 6/],
    ['a unit of no known type', Buffer.from('1e4a656e7380', 'hex'), /type 30/],
    ['filler with a text', Buffer.from('0cff4a656e7380', 'hex'), /filler/],
    ['a delimiter with a text', Buffer.from('09f04a656e73', 'hex'), /delimiter/],
    ['another parameter set', Buffer.from('6764003eacb40a0f', 'hex'), /parameter set/],
    ['a start code', Buffer.from('650000010605', 'hex'), /start code/],
    ['a forbidden bit', Buffer.from('e588', 'hex'), /forbidden/],
    ['another picture', Buffer.from('4188', 'hex'), /in part only/],
  ])('%s is refused', async (_what, unit, why) => {
    await expect(shapeOf(withUnit(unit))).rejects.toThrow(why);
  });

  test('a delimiter and true filler are none of these', async () => {
    await expect(shapeOf(withUnit(Buffer.from('09f0', 'hex')))).resolves.toBeDefined();
    await expect(shapeOf(withUnit(Buffer.from('0cffff80', 'hex')))).resolves.toBeDefined();
  });

  test('a unit that leaves it is refused', async () => {
    const bytes = Buffer.from(copy);
    bytes.writeUInt32BE(0x7fffffff, bytes.indexOf('mdat') + 4);
    await expect(shapeOf(bytes)).rejects.toThrow(/leaves it/);
  });
});

test('files of others are refused: B-frames, sound, tags, fragments, Matroska, QuickTime, nothing', async () => {
  await makeClip(at('plain.mp4'), 'testsrc2=s=192x108:r=25:d=1', ...x264, '-bf', '0');
  const plain = [...['-i', at('plain.mp4'), '-c', 'copy'], ...['-fflags', '+bitexact', '-use_editlist', '0']];
  const made: [string, string[]][] = [
    ['bframes.mp4', ['-i', at('plain.mp4'), '-c:v', 'libx264', '-bf', '2', '-fflags', '+bitexact']],
    ['loud.mp4', [...plain, '-f', 'lavfi', '-i', 'sine=d=1', '-c:v', 'copy', '-c:a', 'aac']],
    ['tagged.mp4', [...plain, '-metadata', 'title=Jens']],
    ['pieces.mp4', [...plain, '-movflags', 'frag_keyframe+empty_moov']],
    ['other.mkv', plain],
    ['other.mov', plain],
  ];
  for (const [name, args] of made) {
    if (name === 'loud.mp4')
      await ffmpeg('-i', at('plain.mp4'), '-f', 'lavfi', '-i', 'sine=d=1', '-c:v', 'copy', '-c:a', 'aac', at(name));
    else await ffmpeg(...args, at(name));
    await expect(readCopyShape(at(name))).rejects.toMatchObject({ code: 'verification-failed' });
  }
  for (const bytes of [Buffer.alloc(0), Buffer.alloc(7), Buffer.alloc(100_000), Buffer.from('ftyp')]) {
    await expect(shapeOf(bytes)).rejects.toMatchObject({ code: 'verification-failed' });
  }
  await expect(readCopyShape(at('not-there.mp4'))).rejects.toMatchObject({ code: 'io-failed' });
  const aborted = { signal: AbortSignal.abort() };
  copyFileSync(at('copy-embedded.mp4'), at('whole.mp4'));
  await expect(readCopyShape(at('whole.mp4'), aborted)).rejects.toMatchObject({ code: 'interrupted' });
});

describe('whatever happens to the bytes', () => {
  /** What may differ without a difference for anybody: rates that are only a hint, and colours. */
  const free = (file: Buffer): [number, number][] =>
    ['btrt', 'pasp', 'colr'].flatMap((type) => {
      const found = file.subarray(0, file.indexOf('mdat')).indexOf(type);
      return found < 0 ? [] : [[found + 4, found + 4 + 19] as [number, number]];
    });

  test('a changed byte in the index is refused, or is one that says nothing of pictures and times', async () => {
    const before = await shapeOf(copy);
    const indexBytes = copy.indexOf('mdat') + 4;
    const hints = free(copy);
    let refused = 0;
    for (let offset = 0; offset < indexBytes; offset += 1) {
      for (const flip of [0x01, 0x80, 0xff]) {
        const bytes = Buffer.from(copy);
        bytes.writeUInt8(bytes.readUInt8(offset) ^ flip, offset);
        try {
          const after = await shapeOf(bytes);
          expect([offset, after.times, after.sampleSizes]).toEqual([offset, before.times, before.sampleSizes]);
          const isHint = hints.some(([from, to]) => offset >= from && offset < to);
          // Level and profile flags, references, colours: fields of the parameter sets that the decoder has to judge.
          const inSets = offset > bytes.indexOf('avcC') && offset < bytes.indexOf('avcC') + 60;
          // Where the movie lasts as many milliseconds by both: whoever asks compares how many ticks a second has.
          const isTold = after.timescale !== before.timescale;
          expect([offset, isHint || inSets || isTold]).toEqual([offset, true]);
        } catch (error) {
          expect([offset, error]).toMatchObject([offset, { code: 'verification-failed' }]);
          refused += 1;
        }
      }
    }
    expect(refused).toBeGreaterThan(indexBytes * 2.5);
  });

  test('damage of any kind ends in a refusal', async () => {
    const cut = fc.record({
      kind: fc.constant('cut' as const),
      at: fc.nat(copy.length - 1),
      length: fc.integer({ min: 1, max: 64 }),
    });
    const put = fc.record({
      kind: fc.constant('put' as const),
      at: fc.nat(copy.length),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 64 }),
    });
    const size = fc.record({
      kind: fc.constant('size' as const),
      at: fc.nat(copy.indexOf('mdat')),
      value: fc.oneof(fc.constantFrom(0, 1, 7, 8, 0x7fffffff, 0x80000000, 0xffffffff), fc.nat()),
    });
    const shorter = fc.record({ kind: fc.constant('shorter' as const), to: fc.nat(copy.length - 1) });
    await fc.assert(
      fc.asyncProperty(fc.oneof(cut, put, size, shorter), async (damage) => {
        let bytes: Buffer;
        if (damage.kind === 'cut')
          bytes = Buffer.concat([copy.subarray(0, damage.at), copy.subarray(damage.at + damage.length)]);
        else if (damage.kind === 'put')
          bytes = Buffer.concat([copy.subarray(0, damage.at), damage.bytes, copy.subarray(damage.at)]);
        else if (damage.kind === 'size') {
          bytes = Buffer.from(copy);
          bytes.writeUInt32BE(damage.value, damage.at);
        } else bytes = copy.subarray(0, damage.to);
        const hints = free(copy).some(([from, to]) => damage.kind === 'size' && damage.at + 4 > from && damage.at < to);
        const inSets = damage.kind === 'size' && Math.abs(damage.at - copy.indexOf('avcC') - 30) < 34;
        if (bytes.equals(copy) || hints || inSets) return;
        await expect(shapeOf(bytes)).rejects.toMatchObject({ code: 'verification-failed' });
      }),
      { numRuns: 600, seed: 20_260, endOnFailure: true },
    );
  });
});
