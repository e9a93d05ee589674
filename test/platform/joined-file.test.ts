import { execFileSync } from 'node:child_process';
import { readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withJoined } from '../../src/platform/joined-file.js';
import { tempFolder } from '../helpers/site.js';

test('parts become one file that this process and its children open, more than once, and that has no name', async () => {
  const folder = tempFolder();
  const [first, second] = [join(folder, 'first'), join(folder, 'second')];
  writeFileSync(first, 'index, ');
  writeFileSync(second, Buffer.alloc(3 << 20, 'x'));
  const before = readdirSync(folder);
  let path = '';
  await withJoined([first, second], folder, async (joined) => {
    path = joined;
    expect(readdirSync(folder)).toEqual(before);
    for (let time = 0; time < 2; time += 1) {
      expect(execFileSync('cat', [joined], { maxBuffer: 8 << 20 }).toString()).toBe(`index, ${'x'.repeat(3 << 20)}`);
    }
    expect((await readFile(joined)).length).toBe(7 + (3 << 20));
  });
  await expect(readFile(path)).rejects.toThrow();
});

test('a part that is a link or missing, and work that fails, leave nothing', async () => {
  const folder = tempFolder();
  const [real, link] = [join(folder, 'real'), join(folder, 'link')];
  writeFileSync(real, 'x');
  symlinkSync(real, link);
  const never = (): Promise<never> => Promise.reject(new Error('not to be called'));
  await expect(withJoined([real, link], folder, never)).rejects.toMatchObject({ name: 'GatewayError' });
  await expect(withJoined([real, join(folder, 'gone')], folder, never)).rejects.toMatchObject({ name: 'GatewayError' });
  await expect(withJoined([real], join(folder, 'nowhere'), never)).rejects.toMatchObject({ name: 'GatewayError' });
  await expect(withJoined([real], folder, () => Promise.reject(new Error('of the work')))).rejects.toThrow(
    'of the work',
  );
  expect(readdirSync(folder).sort()).toEqual(['link', 'real']);
});
