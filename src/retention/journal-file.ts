/**
 * The journal of deletions and holds, outside of the database: what a database that was put back from a backup does not know any
 * more. JSON, a line for each batch, each with the hash of the line before it; appended and synced, never rewritten. No path, no
 * name, no reference: camera, range, size, inode, rule and times.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  readdirSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { HoldGround } from '../domain/hold.js';
import { toGatewayError } from '../errors.js';
import type { DeletionRow } from '../store/deletions.js';

/** A deletion that is done. */
export type JournalDeletion = Pick<
  DeletionRow,
  'id' | 'segmentId' | 'startUs' | 'endUs' | 'sizeBytes' | 'inode' | 'ruleId' | 'dueUs' | 'intendedUs'
> & { readonly doneUs: number; readonly result: 'unlinked' | 'already-absent' };

export interface JournalHold {
  readonly id: string;
  readonly ground: HoldGround;
  readonly requestId: string | null;
  readonly cameraIds: readonly string[];
  readonly startUs: number;
  readonly endUs: number;
  readonly placedBy: string;
  readonly placedUs: number;
  readonly reviewUs: number;
  /** When that date was set; left out in lines from before it could be set anew. */
  readonly reviewSetUs?: number;
  /** Legal has approved what security placed; left out where it has not, or was not asked. */
  readonly approved?: { readonly by: string; readonly atUs: number };
  readonly liftedUs: number | null;
}

export type JournalEntry =
  | { readonly kind: 'begun' }
  | { readonly kind: 'deleted'; readonly cameraId: string; readonly deletions: readonly JournalDeletion[] }
  /** How a hold stands after it was placed, changed or lifted. */
  | { readonly kind: 'hold'; readonly hold: JournalHold }
  /** What lines up to `through` say, and the database did not, is in it again. */
  | { readonly kind: 'restored'; readonly through: number };

/** What a line says, and the entry of the audit log that says so too. */
export type JournalRecord = JournalEntry & {
  /** Number of that entry, and its leaf hash in hex; -1 and '' before the first. */
  readonly seq: number;
  readonly leaf: string;
};
export type JournalLine = JournalRecord & { readonly n: number; readonly prev: string };

const first = '0'.repeat(64);
const fileForm = /^\d{12}\.jsonl$/;
/** A file is left when it is this large; the oldest goes when there are more than so many. About a gigabyte: years of one site. */
const fileBytes = 16 << 20;
const filesKept = 64;
/** A batch of deletions is a line of about this many. */
const tailBytes = 1 << 16;

const hashOf = (line: string): string => createHash('sha256').update(line).digest('hex');
const filesIn = (folder: string): string[] => {
  try {
    return readdirSync(folder)
      .filter((name) => fileForm.test(name))
      .sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw toGatewayError(error, `reading the journal in ${folder}`);
  }
};

export interface Journal {
  /** The last whole line; null for a journal that has none. */
  tail(): JournalLine | null;
  /** Appends and syncs. A crash leaves whole lines and at most one torn one, which the next append takes away. */
  append(records: readonly JournalRecord[]): void;
  /** Every line, oldest first; ends before the first that does not follow from the one before it, and says so in `broken`. */
  lines(): Generator<JournalLine>;
  readonly broken: () => string | null;
}

/** A journal in a folder, which need not be there yet. Synchronous: it is written between two transactions. */
export function openJournal(folder: string): Journal {
  let broken: string | null = null;

  const lastLineOf = (file: string): { text: string; endsAt: number } | null => {
    const fd = openSync(join(folder, file), 'r');
    try {
      const { size } = fstatSync(fd);
      for (let length = Math.min(size, tailBytes); ; length = Math.min(size, length * 4)) {
        const buffer = Buffer.alloc(length);
        readSync(fd, buffer, 0, length, size - length);
        const end = buffer.lastIndexOf(10);
        const begin = end <= 0 ? -1 : buffer.lastIndexOf(10, end - 1);
        // A line may be longer than what was read.
        if (end >= 0 && (begin >= 0 || length === size)) {
          return { text: buffer.toString('utf8', begin + 1, end), endsAt: size - length + end + 1 };
        }
        if (length === size) return null;
      }
    } finally {
      closeSync(fd);
    }
  };

  interface Tail {
    readonly line: JournalLine;
    readonly text: string;
    readonly file: string;
    readonly endsAt: number;
  }
  /** What was appended here last, and the file as it was left: another process that wrote, or a hand, shows in its stamp. */
  let written: (Tail & { readonly stamp: string }) | null = null;
  const stampOf = (file: string): string => {
    const { ino, size, ctimeNs } = statSync(join(folder, file), { bigint: true });
    return `${ino} ${size} ${ctimeNs}`;
  };

  const findTail = (): Tail | null => {
    for (const file of filesIn(folder).reverse()) {
      if (written?.file === file && written.stamp === stampOf(file)) return written;
      const last = lastLineOf(file);
      if (last !== null) return { line: JSON.parse(last.text) as JournalLine, ...last, file };
    }
    return null;
  };

  return {
    broken: () => broken,
    tail: () => findTail()?.line ?? null,
    append(records) {
      if (records.length === 0) return;
      mkdirSync(folder, { recursive: true, mode: 0o750 });
      const tail = findTail();
      let n = (tail?.line.n ?? -1) + 1;
      let prev = tail === null ? first : hashOf(tail.text);
      const begin = n;
      const lines = records.map((record) => {
        const line: JournalLine = { n, prev, ...record };
        const text = JSON.stringify(line);
        n += 1;
        prev = hashOf(text);
        return { line, text };
      });
      const goesOn = tail !== null && tail.endsAt < fileBytes;
      const file = goesOn ? tail.file : `${String(begin).padStart(12, '0')}.jsonl`;
      const fd = openSync(join(folder, file), goesOn ? 'r+' : 'w', 0o640);
      try {
        if (goesOn) ftruncateSync(fd, tail.endsAt);
        const bytes = Buffer.from(`${lines.map(({ text }) => text).join('\n')}\n`);
        let at = goesOn ? tail.endsAt : 0;
        for (let done = 0; done < bytes.length;) {
          const wrote = writeSync(fd, bytes, done, bytes.length - done, at);
          done += wrote;
          at += wrote;
        }
        fsyncSync(fd);
        const last = lines.at(-1);
        written = last === undefined ? null : { ...last, file, endsAt: at, stamp: stampOf(file) };
      } finally {
        closeSync(fd);
      }
      if (goesOn) return;
      for (const old of filesIn(folder).slice(0, -filesKept)) rmSync(join(folder, old));
      const place = openSync(folder, 'r');
      try {
        fsyncSync(place);
      } finally {
        closeSync(place);
      }
    },
    *lines() {
      broken = null;
      let prev: string | null = null;
      let n: number | null = null;
      for (const file of filesIn(folder)) {
        for (const text of wholeLines(join(folder, file))) {
          let line: JournalLine;
          try {
            line = JSON.parse(text) as JournalLine;
          } catch {
            broken = `${file} has a line that is not JSON`;
            return;
          }
          // The oldest line that is kept follows from one that is not.
          if (prev !== null && (line.prev !== prev || line.n !== (n ?? 0) + 1)) {
            broken = `line ${line.n} in ${file} does not follow from the one before it`;
            return;
          }
          prev = hashOf(text);
          ({ n } = line);
          yield line;
        }
      }
    },
  };
}

/** Lines that end. Read in pieces: a file has 16 MB. */
function* wholeLines(path: string): Generator<string> {
  const fd = openSync(path, 'r');
  try {
    const piece = Buffer.alloc(1 << 20);
    let rest = Buffer.alloc(0);
    for (;;) {
      const length = readSync(fd, piece, 0, piece.length, null);
      if (length === 0) return;
      let bytes = Buffer.concat([rest, piece.subarray(0, length)]);
      for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10)) {
        yield bytes.toString('utf8', 0, end);
        bytes = bytes.subarray(end + 1);
      }
      rest = Buffer.from(bytes);
    }
  } finally {
    closeSync(fd);
  }
}
