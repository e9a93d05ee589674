/** Each rule that the gateway enforces, and each MUST on purpose, time, deletion and holds, is a test that bears its id. README.md beside this file is the table. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const folder = new URL('..', import.meta.url);
const ids = (letter: string, last: number): string[] =>
  Array.from({ length: last }, (_, index) => `${letter}${index + 1}`);

/** The MUSTs, and of the SHOULDs those that are kept (A8, A9). */
const required = [...ids('rule ', 12), ...ids('A', 11), ...ids('B', 9), ...ids('C', 16), ...ids('D', 8)];

/** Rules that are nothing but what other ids say. */
const sameAs: Readonly<Record<string, readonly string[]>> = {
  'rule 3': ['D3'],
  'rule 8': ['C3', 'C4', 'C13'],
};

/** Written elsewhere and not here yet. Empty once they are. */
const pending: ReadonlySet<string> = new Set();

const one = String.raw`(?:[A-D]\d{1,2}|rule \d{1,2})`;
/** The first argument of a test or a group of tests, in any quotes, that begins with ids. */
const named = new RegExp(String.raw`\(\s*['"\x60](${one}(?:, ${one})*) \S`, 'g');

/** Id -> files with a test of that name, relative to the folder of tests. */
function testsById(): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    if (!name.endsWith('.test.ts') || name.endsWith('requirements/names.test.ts')) continue;
    for (const [, list = ''] of readFileSync(new URL(name, folder), 'utf8').matchAll(named)) {
      for (const id of list.split(', ')) found.set(id, (found.get(id) ?? new Set()).add(name));
    }
  }
  return found;
}

const tests = testsById();
const isThere = (id: string): boolean => tests.has(id) || pending.has(id);

test.each(required)('%s has a test', (id) => {
  expect((sameAs[id] ?? [id]).filter((other) => !isThere(other))).toEqual([]);
});

test('no test bears an id that is none', () => {
  expect([...tests.keys()].filter((id) => !required.includes(id))).toEqual([]);
});

test('the table names them all, and each file that it names has a test of that id', () => {
  const table = readFileSync(new URL('README.md', import.meta.url), 'utf8');
  const rows = [...table.matchAll(/^\| ((?:rule \d+)|[A-D]\d+) +\| .* \| (.*?) +\|$/gm)];
  expect(rows.map(([, id]) => id)).toEqual(required);
  for (const [, id = '', files = ''] of rows) {
    const inTable = [...files.matchAll(/`([^`]+)`/g)].map(([, file]) => file);
    for (const file of inTable) expect([...(tests.get(id) ?? [])], id).toContain(file);
  }
});
