import { existsSync } from 'node:fs';
import path from 'node:path';
import { GatewayError } from '../../errors.js';
import { packageRoot } from './manifest.js';

/**
 * A thread or process can only start from compiled code. Run from the sources (tests), the compiled file of the last build
 * is taken, so a change in a worker or a detector needs `npm run build` before a test of it sees it.
 */
export function compiledFile(name: string): string {
  const beside = path.join(import.meta.dirname, name);
  const file = existsSync(beside) ? beside : path.join(packageRoot, 'dist/redaction/detectors', name);
  if (existsSync(file)) return file;
  throw new GatewayError('detector-failed', `The detector's program ${file} is missing.`, {
    remedy: 'Run "npm run build".',
  });
}
