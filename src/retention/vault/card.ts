/**
 * What lies beside each protected copy and says what it is of, for a database that does not know it: one that was put back from a
 * backup. It names the recording, so it goes with it.
 */
import type { Segment } from '../../domain/segment.js';
import type { VaultMethod } from '../../store/vault-copies.js';

type Facts = Omit<Segment, 'id' | 'state'>;

export interface Card {
  readonly format: typeof cardFormat;
  readonly segment: Facts;
  readonly fileName: string;
  readonly method: VaultMethod;
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly initSha256: string | null;
}

const cardFormat = 'tredive-vault-copy/1';

export function cardOf(segment: Segment): Pick<Card, 'format' | 'segment'> {
  const facts = Object.fromEntries(Object.entries(segment).filter(([name]) => Object.hasOwn(forms, name)));
  return { format: cardFormat, segment: facts as unknown as Facts };
}

/** By what each fact of a segment is known to be one; null is allowed where the second word says so. */
const forms: Readonly<Record<keyof Facts, readonly ('string' | 'number' | 'boolean' | 'null')[]>> = {
  rootId: ['string'],
  path: ['string'],
  cameraId: ['string'],
  startUs: ['number'],
  endUs: ['number'],
  timeSource: ['string'],
  timeQuality: ['string'],
  timeDisagreementMs: ['number', 'null'],
  sizeBytes: ['number'],
  inode: ['string'],
  mtimeUs: ['number'],
  container: ['string'],
  codec: ['string'],
  width: ['number'],
  height: ['number'],
  frameRate: ['number', 'null'],
  hasAudio: ['boolean'],
  truncated: ['boolean'],
  firstSeenUs: ['number'],
};

/** The card, or null for what is none. It lies in a folder of the gateway's own, and may be cut off or edited all the same. */
export function readCard(text: string): Card | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const card = value as Partial<Card>;
  const facts: Partial<Record<string, unknown>> =
    typeof card.segment === 'object' ? { ...(card.segment as Facts | null) } : {};
  const hash = (one: unknown): boolean => typeof one === 'string' && /^[0-9a-f]{64}$/.test(one);
  const isCard =
    card.format === cardFormat &&
    typeof card.fileName === 'string' &&
    /^footage(?:\.[a-z0-9]{1,8})?$/.test(card.fileName) &&
    ['reflink', 'hard-link', 'copy'].includes(String(card.method)) &&
    hash(card.sha256) &&
    (card.initSha256 === null || hash(card.initSha256)) &&
    Number.isSafeInteger(card.sizeBytes) &&
    Object.entries(forms).every(([name, kinds]) => {
      const fact = facts[name];
      return kinds.some((kind) => (kind === 'null' ? fact === null : typeof fact === kind));
    });
  return isCard ? (value as Card) : null;
}
