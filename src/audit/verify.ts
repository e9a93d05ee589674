/**
 * Checks a whole audit log. Imports the domain only: whoever does not trust the gateway can take this file, the domain and
 * the public key, and check a copy of the log elsewhere.
 */
import type { KeyObject } from 'node:crypto';
import { eventLeaf, type AuditEvent } from '../domain/audit-event.js';
import { openCheckpoint } from '../domain/checkpoint.js';
import { appendLeaf, emptyFrontier, frontierRoot } from '../domain/merkle.js';
import { toGatewayError } from '../errors.js';

export interface AuditSource {
  readonly entries: Iterable<{
    readonly seq: number;
    readonly entry: string;
    readonly leafHash: Buffer;
    readonly subject?: string;
  }>;
  /** Signed notes kept in the database, ascending by size. */
  readonly checkpoints: readonly { readonly size: number; readonly note: string }[];
  /** Signed notes kept elsewhere: they tell a log that was rolled back as a whole. */
  readonly anchors: readonly string[];
  /** Size of the right edge that the next append would build on. */
  readonly frontierSize: number;
  /** Root of that edge; left out where only the entries are at hand. */
  readonly frontierRoot?: Buffer;
}

export interface AuditReport {
  readonly ok: boolean;
  readonly size: number;
  /** Root over all entries, base64. */
  readonly root: string;
  readonly problems: readonly string[];
}

const maxProblems = 100;

/**
 * Recomputes the tree from the entries and holds it against every checkpoint and anchor. Finds an edited, dropped, swapped
 * or appended entry, a truncated log, a checkpoint that is missing or not ours, and a rolled-back database.
 */
export function verifyAuditLog(source: AuditSource, publicKey: KeyObject): AuditReport {
  const problems: string[] = [];
  const problem = (text: string): void => {
    if (problems.length < maxProblems) problems.push(text);
  };

  /** Every signed root by size, as claimed. */
  const claimed = new Map<number, { root: Buffer; where: string }[]>();
  let newestCheckpoint = 0;
  let newestAnchor = 0;
  const claim = (note: string, where: string, size?: number): number => {
    try {
      const checkpoint = openCheckpoint(note, publicKey);
      if (size !== undefined && checkpoint.size !== size)
        problem(`${where} is filed under another size than it states`);
      claimed.set(checkpoint.size, [...(claimed.get(checkpoint.size) ?? []), { root: checkpoint.root, where }]);
      return checkpoint.size;
    } catch (error) {
      problem(`${where}: ${toGatewayError(error).message}`);
      return 0;
    }
  };
  for (const { size, note } of source.checkpoints) {
    newestCheckpoint = Math.max(newestCheckpoint, claim(note, `checkpoint ${size}`, size));
  }
  source.anchors.forEach((note, index) => {
    newestAnchor = Math.max(newestAnchor, claim(note, `anchor ${index + 1}`));
  });

  let frontier = emptyFrontier;
  for (const { seq, entry, leafHash, subject } of source.entries) {
    const leaf = eventLeaf(entry);
    if (seq !== frontier.size) problem(`entry ${frontier.size} is missing: the next one in the log is ${seq}`);
    if (!leaf.equals(leafHash)) problem(`entry ${seq} was edited: its text does not match its hash`);
    const stated = statedBy(entry);
    // Not hashed itself: it is what the entries of one subject are found by.
    if (subject !== undefined && stated !== null && stated.subject !== subject)
      problem(`entry ${seq} is filed under another subject than it states`);
    if (stated?.seq !== seq) problem(`entry ${seq} says it is another one: entries were swapped or moved`);
    frontier = appendLeaf(frontier, leaf);
    for (const { root, where } of claimed.get(frontier.size) ?? []) {
      if (!root.equals(frontierRoot(frontier)))
        problem(`${where} signs another root than the first ${frontier.size} entries have`);
    }
  }

  const size = frontier.size;
  if (newestCheckpoint > size)
    problem(`entries ${size} to ${newestCheckpoint - 1} are missing: a checkpoint covers them`);
  if (newestCheckpoint < size)
    problem(`entries ${newestCheckpoint} to ${size - 1} were appended without a signed checkpoint`);
  if (newestAnchor > size)
    problem(`the log was rolled back: an anchor covers ${newestAnchor} entries, the log has ${size}`);
  if (source.frontierSize !== size)
    problem(`the stored right edge is for ${source.frontierSize} entries, the log has ${size}`);
  else if (source.frontierRoot !== undefined && !source.frontierRoot.equals(frontierRoot(frontier)))
    problem(`the stored right edge is not that of the ${size} entries: the next entry would sign another log`);
  return { ok: problems.length === 0, size, root: frontierRoot(frontier).toString('base64'), problems };
}

function statedBy(entry: string): Partial<AuditEvent> | null {
  try {
    return JSON.parse(entry) as AuditEvent | null;
  } catch {
    // Not JSON any more: the hash comparison above has already said so.
    return null;
  }
}
