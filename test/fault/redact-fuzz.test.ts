/**
 * Damaged containers: whatever a file is, redacting it ends, with a proved copy or with an error of the closed list, and leaves
 * neither a file nor a process behind. TREDIVE_FUZZ_CASES sets how many are tried, TREDIVE_FUZZ_SEED where they begin.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { maskEveryone } from '../../src/domain/redaction-plan.js';
import { GatewayError } from '../../src/errors.js';
import { readCopyShape } from '../../src/redaction/mp4-shape.js';
import { defaultRedaction, redactFile } from '../../src/redaction/redact.js';
import { leftBehind } from '../helpers/children.js';
import { ffmpeg } from '../helpers/clips.js';

const place = mkdtempSync(join(tmpdir(), 'tredive-damage-'));
const out = join(place, 'out');
const cases = Number(process.env['TREDIVE_FUZZ_CASES'] ?? 32);
const firstSeed = Number(process.env['TREDIVE_FUZZ_SEED'] ?? 1);

const clips: [string, string[]][] = [
  ['plain.mp4', ['-c:v', 'libx264', '-bf', '2', '-g', '4', '-movflags', '+faststart']],
  ['pieces.mp4', ['-c:v', 'libx264', '-g', '4', '-movflags', 'frag_keyframe+empty_moov+default_base_moof']],
  ['edit.mov', ['-c:v', 'libx264', '-bf', '2']],
  ['plain.mkv', ['-c:v', 'libx265', '-x265-params', 'log-level=none']],
  ['plain.ts', ['-c:v', 'libx264', '-g', '4']],
  ['field.ts', ['-c:v', 'mpeg2video', '-flags', '+ildct+ilme', '-r', '25']],
  ['plain.avi', ['-c:v', 'mjpeg', '-pix_fmt', 'yuvj420p']],
  ['plain.flv', ['-c:v', 'flv']],
];

/** Numbers of a seed, the same on every machine. */
function seeded(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** Where boxes, elements, packets or chunks are likely to begin: names of four letters, or the 188 bytes of a packet. */
function landmarks(bytes: Buffer, file: string): number[] {
  if (file.endsWith('.ts')) return Array.from({ length: Math.floor(bytes.length / 188) }, (_unused, i) => i * 188);
  const found: number[] = [];
  for (let at = 4; at + 4 <= bytes.length; at += 1)
    if (/^[a-zA-Z0-9 ]{4}$/.test(bytes.toString('latin1', at, at + 4))) found.push(at - 4);
  return found.length > 0 ? found : [0];
}

const extremes = [0, 1, 7, 8, 9, 0x7f, 0x80, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff];

/** One to four changes of different kinds. */
function damage(original: Buffer, file: string, random: (below: number) => number): Buffer {
  let bytes = Buffer.from(original);
  const marks = landmarks(original, file);
  const anchor = (): number => Math.min(marks[random(marks.length)] ?? 0, Math.max(0, bytes.length - 16));
  for (let change = random(4); change >= 0; change -= 1) {
    if (bytes.length < 64) break;
    const at = anchor();
    const span = 1 + random(400);
    switch (random(8)) {
      case 0: // Bits of a header.
        for (let i = 0; i < 8; i += 1) {
          const where = Math.min(bytes.length - 1, at + random(64));
          bytes.writeUInt8(bytes.readUInt8(where) ^ (1 << random(8)), where);
        }
        break;
      case 1: // A size or a count.
        bytes.writeUInt32BE(extremes[random(extremes.length)] ?? 0, Math.min(bytes.length - 4, at + 4 * random(5)));
        break;
      case 2:
        bytes = bytes.subarray(0, random(bytes.length));
        break;
      case 3:
        bytes.fill(0, at, Math.min(bytes.length, at + span));
        break;
      case 4: // A part twice.
        bytes = Buffer.concat([bytes.subarray(0, at + span), bytes.subarray(at)]);
        break;
      case 5: // A part is gone.
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + span)]);
        break;
      case 6: // A part elsewhere.
        bytes.copy(bytes, anchor(), at, at + span);
        break;
      default:
        for (let i = 0; i < 30; i += 1) bytes.writeUInt8(random(256), random(bytes.length));
    }
  }
  return bytes;
}

beforeAll(async () => {
  mkdirSync(out);
  for (const [file, args] of clips) {
    await ffmpeg(
      ...['-f', 'lavfi', '-i', 'testsrc2=s=96x64:r=25:d=0.5', '-f', 'lavfi', '-i', 'sine=d=0.5', '-pix_fmt', 'yuv420p'],
      ...['-c:a', file.endsWith('.avi') ? 'pcm_s16le' : file.endsWith('.flv') ? 'libmp3lame' : 'aac', '-ar', '44100'],
      ...args,
      join(place, file),
    );
  }
});
afterAll(() => {
  rmSync(place, { recursive: true, force: true });
});

/** Of a hostile file: it cannot be read, it made ffmpeg fail, or what came of it was not proved. */
const causes = ['media-unreadable', 'ffmpeg-failed', 'verification-failed'];

test(
  `${cases} damaged files`,
  async () => {
    const ends: Record<string, number> = {};
    for (let seed = firstSeed; seed < firstSeed + cases; seed += 1) {
      const [file] = clips[seed % clips.length] ?? ['plain.mp4'];
      const input = join(place, `damaged-${file}`);
      writeFileSync(input, damage(readFileSync(join(place, file)), file, seeded(seed)));
      const output = join(out, 'copy.mp4');
      let end: string;
      try {
        const { frames } = await redactFile({
          ...{ input, output, decisions: maskEveryone, settings: { ...defaultRedaction, workers: 1 } },
        });
        expect([seed, (await readCopyShape(output)).samples.count]).toEqual([seed, frames]);
        rmSync(output);
        end = 'proved';
      } catch (error) {
        if (!(error instanceof GatewayError)) throw error;
        const expected = causes.includes(error.code);
        expect({ seed, expected, code: error.code, message: error.message }).toEqual({
          seed,
          expected: true,
          code: error.code,
          message: error.message,
        });
        end = error.code;
      }
      ends[end] = (ends[end] ?? 0) + 1;
      expect([seed, readdirSync(out), await leftBehind()]).toEqual([seed, [], []]);
    }
    process.stderr.write(`${cases} damaged files from seed ${firstSeed}: ${JSON.stringify(ends)}\n`);
    // Were all of them refused at once, nothing would have been tried.
    if (cases >= 32) {
      expect(ends['proved']).toBeGreaterThan(0);
      expect(ends['media-unreadable']).toBeGreaterThan(0);
    }
  },
  30_000 * Math.max(10, cases),
);
