/** Rules that no single requirement of purpose, time, deletion or holds says. */
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { segmentsOfRoot } from '../../src/store/segments.js';
import { makeWorld, packaged } from '../helpers/disclosure.js';

test('rule 11 a package holds the recordings bit for bit as the recorder wrote them', async () => {
  const world = makeWorld();
  const { directory } = await packaged(world);
  const hash = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');
  const handedOver = readdirSync(join(directory, 'originals')).map((name) => hash(join(directory, 'originals', name)));
  const recorded = [...segmentsOfRoot(world.store.db, 'nvr')].map(({ path }) => hash(join(world.root, path)));
  expect(handedOver.length).toBeGreaterThan(0);
  for (const one of handedOver) expect(recorded).toContain(one);
  // The masked copies are beside them, named as what they are.
  for (const name of readdirSync(join(directory, 'redacted'))) expect(name).toContain('REDACTED-COPY');
});
