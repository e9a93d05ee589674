/** The life of a disclosure request: who may ask for what, in which order things happen, and what an approval is bound to. */
import { GatewayError } from '../errors.js';
import { classRules, type CameraPolicy, type RecipientKind } from './camera.js';
import { canonicalHash, type Json } from './canonical-json.js';
import { recordedDecisions } from './mask-decisions.js';
import type { MaskDecisions } from './redaction-plan.js';
import type { TimeRange } from './segment.js';

/** CCTV Act § 4 c(1): the only reasons to hand footage to somebody else. There is no fourth. */
export const disclosureGrounds = {
  police: { recipients: ['police'], needsBasis: false, basis: 'for the police to solve a crime' },
  consent: { recipients: ['authority', 'person'], needsBasis: true, basis: 'who consented, when, in writing where' },
  law: { recipients: ['police', 'authority', 'person'], needsBasis: true, basis: 'the provision that demands it' },
} as const satisfies Record<string, { recipients: readonly RecipientKind[]; needsBasis: boolean; basis: string }>;

export type DisclosureGround = keyof typeof disclosureGrounds;

export interface Recipient {
  readonly kind: RecipientKind;
  /** Station, authority or person. */
  readonly name: string;
  /** How they were reached, checked by the requester: an unchecked e-mail is how a false request begins. */
  readonly contact: string;
}

export interface RequestScope extends TimeRange {
  readonly ground: DisclosureGround;
  readonly legalBasis: string | null;
  readonly recipient: Recipient;
  readonly journalNumber: string;
  readonly purpose: string;
  readonly cameraIds: readonly string[];
}

export const requestStates = [
  'requested',
  'preparing',
  'prepared',
  'preparation-failed',
  'reviewed',
  'approved',
  'refused',
  'packaged',
  'closed',
] as const;
export type RequestState = (typeof requestStates)[number];

/** Which state may follow which. Everything else is a `conflict`. */
const successors: Readonly<Record<RequestState, readonly RequestState[]>> = {
  requested: ['preparing', 'refused', 'closed'],
  // Back to "requested": the work was interrupted, and nothing of it is left.
  preparing: ['prepared', 'preparation-failed', 'requested'],
  'preparation-failed': ['preparing', 'refused', 'closed'],
  prepared: ['reviewed', 'preparing', 'refused', 'closed'],
  reviewed: ['preparing', 'approved', 'refused', 'closed'],
  // Back to "prepared" or "preparing" is how an approval becomes void: the content is not what was approved any more.
  approved: ['packaged', 'prepared', 'preparing', 'refused', 'closed'],
  refused: ['closed'],
  packaged: ['closed'],
  closed: [],
};

const whatToDo: Readonly<Record<RequestState, string>> = {
  requested: 'Prepare it first.',
  preparing: 'Wait until it is prepared.',
  prepared: 'It has to be reviewed first.',
  'preparation-failed': 'Look at the reason and prepare it again.',
  reviewed: 'It waits for a decision.',
  approved: 'It can be packaged.',
  refused: 'It was refused; make a new request if the matter has changed.',
  packaged: 'It is packaged already.',
  closed: 'It is closed; make a new request.',
};

export function assertTransition(id: string, from: RequestState, to: RequestState): void {
  if (successors[from].includes(to)) return;
  throw new GatewayError('conflict', `Request ${id} is "${from}" and cannot become "${to}".`, {
    remedy: whatToDo[from],
  });
}

/** At most a day in one request: longer ranges are a sign that nobody looked (GDPR art. 5(1)(c)). */
export const maxRequestRangeUs = 24 * 3_600_000_000;

/** Throws `input-invalid` or `forbidden` unless the law knows this request. `policies` holds the cameras asked for. */
export function assertScope(scope: RequestScope, policies: ReadonlyMap<string, CameraPolicy>, nowUs: number): void {
  const wrong = (message: string, remedy: string): GatewayError =>
    new GatewayError('input-invalid', message, { remedy });
  if (!Object.hasOwn(disclosureGrounds, scope.ground)) {
    throw wrong(`"${scope.ground}" is no ground for disclosure.`, 'Use police, consent or law (CCTV Act § 4 c(1)).');
  }
  const ground = disclosureGrounds[scope.ground];
  if (!(ground.recipients as readonly RecipientKind[]).includes(scope.recipient.kind)) {
    throw new GatewayError(
      'forbidden',
      `Footage cannot go to "${scope.recipient.kind}" on the ground "${scope.ground}".`,
      {
        remedy: `On this ground the recipient is one of: ${ground.recipients.join(', ')}.`,
      },
    );
  }
  if (ground.needsBasis && (scope.legalBasis ?? '').trim() === '') {
    throw wrong(`The ground "${scope.ground}" needs its basis.`, `State ${ground.basis}.`);
  }
  for (const [name, text] of [
    ['journal number', scope.journalNumber],
    ['purpose', scope.purpose],
    ['name of the recipient', scope.recipient.name],
    ['contact of the recipient', scope.recipient.contact],
  ] as const) {
    if (text.trim() === '') throw wrong(`The ${name} is missing.`, `Give the ${name}.`);
  }
  if (!(scope.startUs < scope.endUs)) throw wrong('The range must end after it starts.', 'Correct the range.');
  if (scope.endUs - scope.startUs > maxRequestRangeUs) {
    throw wrong(
      'The range is longer than 24 hours.',
      'Ask for what is needed; make several requests if it really is more.',
    );
  }
  if (scope.startUs > nowUs) throw wrong('The range lies in the future.', 'Correct the range.');
  if (scope.cameraIds.length === 0) throw wrong('No camera is named.', 'Name at least one camera.');
  for (const cameraId of scope.cameraIds) {
    const policy = policies.get(cameraId);
    if (policy === undefined)
      throw new GatewayError('not-found', `There is no camera "${cameraId}".`, { remedy: 'See the list of cameras.' });
    const { mayRecord, recipients } = classRules[policy.class];
    if (!mayRecord || !recipients.includes(scope.recipient.kind)) {
      throw new GatewayError(
        'forbidden',
        `Footage of camera "${cameraId}" (class "${policy.class}") cannot go to "${scope.recipient.kind}".`,
        {
          remedy:
            recipients.length === 0 ? 'This camera may not record; tell legal.' : `Allowed: ${recipients.join(', ')}.`,
        },
      );
    }
  }
}

/** One original that would be handed over. */
export interface ScopeItem {
  readonly cameraId: string;
  readonly startUs: number;
  readonly endUs: number;
  readonly sha256: string;
  /** Of a fragment: hash of the initialisation segment that it is read behind. */
  readonly initSha256?: string | undefined;
  /** Hash of what the detector and tracker found in it; the decisions below refer to its track numbers. */
  readonly planSha256: string;
  readonly decisions: MaskDecisions;
  /** Hash of the masked copy that was reviewed. */
  readonly redactedSha256: string;
}

/** What legal adds when approving. Each exception carries its reason. */
export interface DecisionTerms {
  /** Why sound goes along, or null: originals with sound are then not released. */
  readonly audioReason: string | null;
  /** Why the originals stay behind, or null: a package always has them. */
  readonly redactedOnlyReason: string | null;
}

/**
 * What an approval is bound to: range, cameras, recipient, ground, every original, every mask and the terms. Any change
 * gives another hash, and the approval is void.
 */
export function scopeHash(scope: RequestScope, items: readonly ScopeItem[], terms: DecisionTerms): string {
  return canonicalHash({
    ground: scope.ground,
    legalBasis: scope.legalBasis,
    recipient: { ...scope.recipient },
    journalNumber: scope.journalNumber,
    startUs: scope.startUs,
    endUs: scope.endUs,
    cameraIds: [...scope.cameraIds].sort(),
    items: items.map(itemJson),
    terms: { ...terms },
  });
}

/** What a review is bound to: every original, every mask and every masked copy, as they were looked at. */
export const contentHash = (items: readonly ScopeItem[]): string => canonicalHash(items.map(itemJson));

const itemJson = (item: ScopeItem): Json => ({
  cameraId: item.cameraId,
  startUs: item.startUs,
  endUs: item.endUs,
  sha256: item.sha256,
  planSha256: item.planSha256,
  redactedSha256: item.redactedSha256,
  decisions: recordedDecisions(item.decisions),
  // Left out of a whole file, so that what was approved before there were fragments has the same hash.
  ...(item.initSha256 === undefined ? {} : { initSha256: item.initSha256 }),
});

/** Two people: whoever asked may neither review the masks alone nor decide. */
export function assertAnotherPerson(requestedBy: string, decidingUserId: string): void {
  if (requestedBy === decidingUserId) {
    throw new GatewayError('same-person', 'The one who asked for a disclosure may not decide on it.', {
      remedy: 'Another person with the role "legal" has to review and decide.',
    });
  }
}
