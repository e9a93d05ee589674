import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { verifyAuditLog, type AuditSource } from '../../src/audit/verify.js';
import { encodeEvent, eventLeaf, type AuditEvent } from '../../src/domain/audit-event.js';
import { appendLeaf, emptyFrontier } from '../../src/domain/merkle.js';
import { readCheckpoints, readEntries, readFrontier } from '../../src/store/audit-log.js';
import { addCamera, june, makeTestStore } from '../helpers/store.js';

type Log = { -readonly [K in keyof AuditSource]: AuditSource[K] } & {
  entries: { seq: number; entry: string; leafHash: Buffer }[];
};

/** A real log of ten entries as an auditor gets it, to be spoiled. */
function realLog(): { log: Log; publicKey: ReturnType<typeof makeTestStore>['publicKey'] } {
  const made = makeTestStore();
  for (let index = 0; index < 9; index += 1) addCamera(made, `camera-${index}`);
  return {
    log: {
      entries: [...readEntries(made.db)],
      checkpoints: readCheckpoints(made.db),
      anchors: [],
      frontierSize: readFrontier(made.db).size,
    },
    publicKey: made.publicKey,
  };
}

const edited = (row: Log['entries'][number], change: Partial<AuditEvent>, rehash: boolean): Log['entries'][number] => {
  const entry = encodeEvent({ ...(JSON.parse(row.entry) as AuditEvent), ...change });
  return { seq: row.seq, entry, leafHash: rehash ? eventLeaf(entry) : row.leafHash };
};

const at = (log: Log, index: number): Log['entries'][number] => {
  const row = log.entries[index];
  if (row === undefined) throw new Error(`no entry ${index}`);
  return row;
};

test('what lies beside the entries and is not hashed with them', () => {
  const { log, publicKey } = realLog();
  const [first, ...rest] = [...log.entries];
  if (first === undefined) throw new Error('no entry');
  expect(
    verifyAuditLog({ ...log, entries: [{ ...first, subject: 'camera:other' }, ...rest] }, publicKey).problems,
  ).toEqual(['entry 0 is filed under another subject than it states']);
  const otherEdge = eventLeaf(first.entry);
  expect(verifyAuditLog({ ...log, frontierRoot: otherEdge }, publicKey).problems.join()).toMatch(
    /right edge is not that/,
  );
});

test('a log as it was written', () => {
  const { log, publicKey } = realLog();
  const anchors = [log.checkpoints[3]?.note ?? '', log.checkpoints.at(-1)?.note ?? ''];
  expect(verifyAuditLog({ ...log, anchors }, publicKey)).toMatchObject({ ok: true, size: 10, problems: [] });
  const empty = { entries: [], checkpoints: [], anchors: [], frontierSize: 0 };
  expect(verifyAuditLog(empty, publicKey)).toMatchObject({ ok: true, size: 0 });
});

describe('what is detected', () => {
  const cases: [string, (log: Log) => void, RegExp][] = [
    [
      'an entry edited',
      (log) => {
        log.entries[4] = edited(at(log, 4), { subject: 'camera:other' }, false);
      },
      /entry 4 was edited/,
    ],
    [
      'an entry edited with its hash',
      (log) => {
        log.entries[4] = edited(at(log, 4), { subject: 'camera:other' }, true);
      },
      /checkpoint 5 signs another root/,
    ],
    [
      'an entry dropped',
      (log) => {
        log.entries.splice(4, 1);
      },
      /entry 4 is missing/,
    ],
    [
      'an entry dropped and the rest renumbered',
      (log) => {
        log.entries = [
          ...log.entries.slice(0, 4),
          ...log.entries.slice(5).map((row, i) => edited({ ...row, seq: 4 + i }, { seq: 4 + i }, true)),
        ];
      },
      /checkpoint 5 signs another root/,
    ],
    [
      'two entries swapped',
      (log) => {
        const [a, b] = [at(log, 4), at(log, 5)];
        log.entries[4] = { ...b, seq: 4 };
        log.entries[5] = { ...a, seq: 5 };
      },
      /entries were swapped/,
    ],
    [
      'two entries swapped and renumbered',
      (log) => {
        const [a, b] = [at(log, 4), at(log, 5)];
        log.entries[4] = edited({ ...b, seq: 4 }, { seq: 4 }, true);
        log.entries[5] = edited({ ...a, seq: 5 }, { seq: 5 }, true);
      },
      /signs another root/,
    ],
    [
      'an entry appended',
      (log) => {
        log.entries.push(edited({ ...at(log, 9), seq: 10 }, { seq: 10 }, true));
      },
      /appended without a signed checkpoint/,
    ],
    [
      'the end cut off',
      (log) => {
        log.entries.splice(7);
      },
      /entries 7 to 9 are missing/,
    ],
    [
      'the end cut off with its checkpoints',
      (log) => {
        log.entries.splice(7);
        log.checkpoints = log.checkpoints.slice(0, 7);
      },
      /right edge is for 10 entries/,
    ],
    [
      'the newest checkpoint removed',
      (log) => {
        log.checkpoints = log.checkpoints.slice(0, -1);
      },
      /appended without a signed checkpoint/,
    ],
    [
      'all checkpoints removed',
      (log) => {
        log.checkpoints = [];
      },
      /appended without a signed checkpoint/,
    ],
    [
      'a checkpoint filed under another size',
      (log) => {
        log.checkpoints = [{ size: 5, note: log.checkpoints[2]?.note ?? '' }, ...log.checkpoints.slice(-1)];
      },
      /filed under another size/,
    ],
    [
      'a checkpoint that is no checkpoint',
      (log) => {
        log.checkpoints = [{ size: 1, note: 'hello' }, ...log.checkpoints.slice(1)];
      },
      /form of a signed note/,
    ],
    [
      'an entry that is no JSON',
      (log) => {
        log.entries[4] = { ...at(log, 4), entry: '{' };
      },
      /entry 4 was edited/,
    ],
    [
      'everything removed',
      (log) => {
        log.entries = [];
      },
      /entries 0 to 9 are missing/,
    ],
  ];
  test.each(cases)('%s', (_name, spoil, said) => {
    const { log, publicKey } = realLog();
    spoil(log);
    const report = verifyAuditLog(log, publicKey);
    expect(report.ok).toBe(false);
    expect(report.problems.join('\n')).toMatch(said);
  });

  test('a database rolled back as a whole, by an anchor kept elsewhere, and by nothing without one', () => {
    const { log, publicKey } = realLog();
    const back: Log = {
      ...log,
      entries: log.entries.slice(0, 6),
      checkpoints: log.checkpoints.slice(0, 6),
      frontierSize: 6,
    };
    expect(verifyAuditLog(back, publicKey).ok).toBe(true);
    const report = verifyAuditLog({ ...back, anchors: [log.checkpoints.at(-1)?.note ?? ''] }, publicKey);
    expect(report.problems.join()).toContain('the log was rolled back: an anchor covers 10 entries, the log has 6');
  });

  test('a log rewritten by its owner with its own key, by an anchor from before', () => {
    const first = realLog();
    const made = makeTestStore({ nowUs: june + 1 });
    for (let index = 0; index < 9; index += 1) addCamera(made, `other-${index}`);
    const log = { ...first.log, entries: [...readEntries(made.db)], checkpoints: [] };
    const report = verifyAuditLog({ ...log, anchors: [first.log.checkpoints[5]?.note ?? ''] }, first.publicKey);
    expect(report.problems.join()).toContain('anchor 1 signs another root than the first 6 entries have');
  });

  test('another key', () => {
    const { log } = realLog();
    const stranger = generateKeyPairSync('ed25519').publicKey;
    expect(verifyAuditLog(log, stranger).problems.join()).toContain('signed by another key');
  });

  test('any single byte of any entry, hash or checkpoint', () => {
    const { log, publicKey } = realLog();
    const flip = (text: string, position: number): string => {
      const bytes = Buffer.from(text, 'latin1');
      const index = position % bytes.length;
      bytes[index] = (bytes[index] ?? 0) ^ 1;
      return bytes.toString('latin1');
    };
    fc.assert(
      fc.property(fc.constantFrom('entry', 'hash', 'note'), fc.nat(9), fc.nat(10_000), (what, index, position) => {
        const spoilt: Log = { ...log, entries: [...log.entries], checkpoints: [...log.checkpoints] };
        const row = at(spoilt, index);
        if (what === 'entry') spoilt.entries[index] = { ...row, entry: flip(row.entry, position) };
        if (what === 'hash')
          spoilt.entries[index] = {
            ...row,
            leafHash: Buffer.from(flip(row.leafHash.toString('latin1'), position), 'latin1'),
          };
        if (what === 'note') {
          const note = Buffer.from(log.checkpoints[index]?.note ?? '').toString('latin1');
          spoilt.checkpoints = spoilt.checkpoints.map((one, i) =>
            i === index ? { ...one, note: Buffer.from(flip(note, position), 'latin1').toString() } : one,
          );
        }
        return !verifyAuditLog(spoilt, publicKey).ok;
      }),
      { numRuns: 300 },
    );
  });

  test('a log of lies is reported, but not without end', () => {
    const { publicKey } = realLog();
    let frontier = emptyFrontier;
    const entries = Array.from({ length: 500 }, (_, seq) => {
      frontier = appendLeaf(frontier, Buffer.alloc(32));
      return { seq: seq * 2, entry: 'x', leafHash: Buffer.alloc(32) };
    });
    expect(verifyAuditLog({ entries, checkpoints: [], anchors: [], frontierSize: 3 }, publicKey).problems).toHaveLength(
      100,
    );
  });
});
