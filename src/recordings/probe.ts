/** What a file is, found out in a thread of its own (reader-threads.ts). */
import { defaultLimits, type ReadLimits } from './containers/bounded-file.js';
import type { ProbeFailure, ProbeResult } from './probe-here.js';
import { askReader } from './reader-threads.js';

export type { ProbeFailure, ProbeResult } from './probe-here.js';

/**
 * Probes one file: what it is, or why it cannot be indexed. Every file, and every lack of one, has its verdict, and none
 * throws; GatewayError `internal` only where the compiled thread is missing. Takes about a millisecond for a sound file however
 * long it is. `init` is the path of a fragment's initialisation segment.
 */
export async function probeFile(
  path: string,
  limits: ReadLimits = defaultLimits,
  init?: string,
): Promise<ProbeResult | ProbeFailure> {
  const answer = await askReader({ what: 'probe', path, limits, init });
  return 'lost' in answer ? { ok: false, reason: answer.lost, detail: answer.detail, file: null } : answer;
}
