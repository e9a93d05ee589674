/** Real footage for tests. It is not part of the project: TREDIVE_FOOTAGE says where it lies. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

export const footage = process.env['TREDIVE_FOOTAGE'];

/** For `describe.skipIf(...)`: true, said loudly, where the footage is absent. */
export function withoutFootage(what: string, folder = ''): boolean {
  const there = footage !== undefined && footage !== '' && existsSync(join(footage, folder));
  if (!there) {
    process.stderr.write(
      `\n!!! SKIPPED: ${what}: set TREDIVE_FOOTAGE to the folder with the real footage (${folder})\n\n`,
    );
  }
  return !there;
}

export const footagePath = (...parts: string[]): string => join(footage ?? '/nonexistent', ...parts);
