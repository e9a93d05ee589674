/** How long this machine has been up: a clock that nobody sets. Linux; null elsewhere, and where a container hides it. */
import { readFileSync } from 'node:fs';

export interface Uptime {
  /** Another one after each boot. */
  readonly bootId: string;
  readonly uptimeUs: number;
}

export function systemUptime(): Uptime | null {
  try {
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const seconds = Number(readFileSync('/proc/uptime', 'utf8').split(' ', 1)[0]);
    return bootId !== '' && Number.isFinite(seconds) ? { bootId, uptimeUs: Math.round(seconds * 1_000_000) } : null;
  } catch {
    // Not Linux, or /proc is not mounted: there is one witness less, and the others are asked.
    return null;
  }
}
