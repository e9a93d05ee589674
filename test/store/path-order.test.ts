/** The order in which a scan goes through index and disk side by side: one row out of its place, and files count as gone. */
import { describe, expect, test } from 'vitest';
import { segmentStamps, segmentsOfRoot } from '../../src/store/segments.js';
import { addCamera, addRoot, makeTestStore, type TestStore } from '../helpers/store.js';
import { insertRow } from '../helpers/rows.js';

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

function holding(paths: readonly string[]): TestStore {
  const made = makeTestStore();
  addRoot(made, 'nvr');
  addRoot(made, 'other');
  addCamera(made, 'gate');
  made.db.transaction(() => {
    for (const path of paths) insertRow(made.db, { path });
    // Beside it, so that nothing of another root slips in.
    for (const path of ['a.mp4', 'a/b/c.mp4', 'zzz.mp4']) insertRow(made.db, { rootId: 'other', path });
  })();
  return made;
}

/** All pages, one after the other. */
function paged({ db }: TestStore, size: number): string[] {
  const found: string[] = [];
  for (let after = ''; ;) {
    const page = segmentStamps(db, 'nvr', after, size).map(({ path }) => path);
    found.push(...page);
    if (page.length < size) return found;
    after = page.at(-1) ?? after;
  }
}

describe('pages by path', () => {
  test.each<[string, string[]]>([
    ['nothing', []],
    [
      'names beside folders',
      ['a.mp4', 'a/x.mp4', 'b.mp4', 'a-b/x.mp4', 'a/b.mp4', 'a/b/c/d.mp4', 'a/c.mp4', 'a/b.c/e.mp4'],
    ],
    ['a folder for each file', Array.from({ length: 700 }, (_, i) => `${i % 7}/${i}/${i}-video.mp4`)],
    ['all in one folder', Array.from({ length: 300 }, (_, i) => `gate/${i}.mp4`)],
    ['all in the root itself', Array.from({ length: 300 }, (_, i) => `${i}.mp4`)],
    // As UTF-16 the first would come before the second.
    [
      'names beyond U+FFFF',
      ['\u{1f4f9}/a.mp4', '\uff21/a.mp4', '\u{1f4f9}.mp4', '\uff21.mp4', 'é/a.mp4', 'e\u0301/a.mp4', 'z'],
    ],
    ['signs around the slash', ['a!/x', 'a/x', 'a0/x', 'a.x', 'a', 'a//x'.replace('//', '/\u0001/'), 'a/!', 'a!x/y']],
  ])('%s', (_name, paths) => {
    const made = holding(paths);
    const wanted = [...paths].sort(byBytes);
    for (const size of [1, 2, 3, 250]) expect(paged(made, size)).toEqual(wanted);
    expect([...segmentsOfRoot(made.db, 'nvr')].map(({ path }) => path)).toEqual(wanted);
  });

  test.each([1, 2, 3, 4, 5])('trees that nobody drew (%i)', (seed) => {
    let state = seed;
    const next = (below: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const parts = ['a', 'a-', 'a.', 'a0', 'b', 'B', '\u{1f4f9}', '\ufb00', 'é', ' ', 'aa', '~'];
    const paths = new Set<string>();
    for (let i = 0; i < 400; i += 1) {
      const path = Array.from({ length: 1 + next(4) }, () => parts[next(parts.length)] ?? '').join('/');
      // A name is a file or a folder.
      if (![...paths].some((other) => other.startsWith(`${path}/`) || path.startsWith(`${other}/`))) paths.add(path);
    }
    const made = holding([...paths]);
    const wanted = [...paths].sort(byBytes);
    expect(wanted.length).toBeGreaterThan(30);
    for (const size of [1, 7, 1000]) expect(paged(made, size)).toEqual(wanted);
    // From anywhere, also from between two names.
    for (const after of [...parts, ...wanted.map((path) => `${path}!`)]) {
      expect(segmentStamps(made.db, 'nvr', after, 5).map(({ path }) => path)).toEqual(
        wanted.filter((path) => byBytes(path, after) > 0).slice(0, 5),
      );
    }
  });
});
