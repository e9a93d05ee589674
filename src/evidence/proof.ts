/** Proof from the audit log that goes into a package: the events of one request, and that the signed log holds them. */
import type { KeyObject } from 'node:crypto';
import { encodeEvent, eventLeaf, type AuditEvent } from '../domain/audit-event.js';
import { openCheckpoint, signCheckpoint, type Checkpoint } from '../domain/checkpoint.js';
import { listOf, matching, oneOf, readForm, record, text, whole } from '../domain/form.js';
import { frontierRoot, nodeHash, verifyInclusion } from '../domain/merkle.js';
import { GatewayError } from '../errors.js';
import { eventsOf, readFrontier, readLeaves } from '../store/audit-log.js';
import type { Database } from '../store/database.js';

export interface AuditProof {
  /** Signed note over the log as it is now. */
  readonly checkpoint: string;
  /** JSON of the events and their inclusion proofs against that checkpoint. */
  readonly proof: string;
}

/**
 * Proof for every event of the request itself (`request.*`; who looked at footage when stays in the house). Synchronous, so
 * the log does not grow between reading the tree and signing it.
 */
export function makeProof(
  db: Database,
  requestId: string,
  audit: { readonly origin: string; readonly privateKey: KeyObject },
): AuditProof {
  const frontier = readFrontier(db);
  const leaves = readLeaves(db, frontier.size);
  const events = eventsOf(db, `request:${requestId}`).filter((event) => event.type.startsWith('request.'));
  const paths = inclusionProofs(
    leaves,
    events.map((event) => event.seq),
  );
  const proof = {
    version: 1,
    size: frontier.size,
    // The entry as the log holds it: canonical JSON gives the same text again.
    events: events.map((event, index) => ({
      seq: event.seq,
      entry: encodeEvent(event),
      proof: (paths[index] ?? []).map((hash) => hash.toString('base64')),
    })),
  };
  return {
    checkpoint: signCheckpoint(
      { origin: audit.origin, size: frontier.size, root: frontierRoot(frontier) },
      audit.privateKey,
    ),
    proof: `${JSON.stringify(proof, null, 1)}\n`,
  };
}

/**
 * RFC 6962 paths of several leaves in one pass over the tree: level by level from the leaves, the odd one at the right edge
 * moving up as it is. Gives what `inclusionProof` gives for each, without hashing the whole log once per event.
 */
export function inclusionProofs(leaves: readonly Buffer[], indexes: readonly number[]): Buffer[][] {
  const proofs: Buffer[][] = indexes.map(() => []);
  let places = [...indexes];
  for (let level = leaves; level.length > 1;) {
    places = places.map((place, which) => {
      const sibling = level[place % 2 === 1 ? place - 1 : place + 1];
      if (sibling !== undefined) proofs[which]?.push(sibling);
      return Math.floor(place / 2);
    });
    const above: Buffer[] = [];
    for (let at = 0; at < level.length; at += 2) {
      const left = level[at] as Buffer;
      const right = level[at + 1];
      above.push(right === undefined ? left : nodeHash(left, right));
    }
    level = above;
  }
  return proofs;
}

const form = record({
  version: oneOf(1),
  size: whole(1),
  events: listOf(
    record({
      seq: whole(),
      entry: text(4_000_000, 2),
      proof: listOf(matching(/^[A-Za-z0-9+/]{43}=$/, 'a hash in base64'), 64),
    }),
    100_000,
  ),
});

/** Opens the checkpoint of a package. Throws `verification-failed`. */
export function checkCheckpoint(note: string, publicKey: KeyObject, origin: string): Checkpoint {
  const checkpoint = openCheckpoint(note, publicKey);
  if (checkpoint.origin === origin) return checkpoint;
  throw new GatewayError('verification-failed', `The checkpoint is of the log "${checkpoint.origin}".`, {
    remedy: `The manifest names the log "${origin}".`,
  });
}

/** The events that the proof really shows to be in the log of `checkpoint`. Throws `verification-failed` for any that is not. */
export function checkProof(json: string, checkpoint: Checkpoint, requestId: string): AuditEvent[] {
  const { size, events } = readForm(json, form, 'audit/proof.json');
  if (size !== checkpoint.size) {
    throw new GatewayError('verification-failed', `audit/proof.json is for a log of ${size} entries, not this one.`);
  }
  let previous = -1;
  return events.map(({ seq, entry, proof }) => {
    const hashes = proof.map((hash) => Buffer.from(hash, 'base64'));
    if (seq <= previous || !verifyInclusion(eventLeaf(entry), seq, size, hashes, checkpoint.root)) {
      throw new GatewayError(
        'verification-failed',
        `Entry ${seq} is not in the signed log as audit/proof.json has it.`,
      );
    }
    previous = seq;
    // In the log, so the gateway wrote it: its form needs no second check, only that it is about this request.
    const event = JSON.parse(entry) as AuditEvent;
    if (event.seq === seq && event.subject === `request:${requestId}`) return event;
    throw new GatewayError('verification-failed', `Entry ${seq} is about something else than this request.`);
  });
}
