/** What each ground for longer storage demands to be told. Free text alone is refused: a ground that nobody can look up is none. */
import { GatewayError } from '../errors.js';

/** Calendar days as `2026-05-31`, in the zone of the site. */
export type HoldFacts =
  | { readonly ground: 'reported-offence'; readonly journalNumber: string; readonly reportedOn: string }
  | { readonly ground: 'dispute'; readonly counterparty: string; readonly description: string }
  | { readonly ground: 'access-request' | 'complaint'; readonly caseNumber: string; readonly receivedOn: string }
  | { readonly ground: 'legal-duty'; readonly provision: string };

/** Fields by ground, in the order in which a form asks for them; `On` at the end of a name says that it is a day. */
export const factFields = {
  'reported-offence': ['journalNumber', 'reportedOn'],
  dispute: ['counterparty', 'description'],
  'access-request': ['caseNumber', 'receivedOn'],
  complaint: ['caseNumber', 'receivedOn'],
  'legal-duty': ['provision'],
} as const satisfies Record<HoldFacts['ground'], readonly string[]>;

export type FactField = (typeof factFields)[HoldFacts['ground']][number];

const names: Readonly<Record<FactField, string>> = {
  journalNumber: 'the journal number of the police',
  reportedOn: 'the day of the report',
  counterparty: 'who the other party is',
  description: 'what the dispute is about, in ten characters or more',
  caseNumber: 'the case number',
  receivedOn: 'the day on which it was received',
  provision: 'the provision that demands it',
};

/** Short enough to be read in a list; a description may be longer. */
const longest = (field: FactField): number => (field === 'description' ? 2000 : 200);

const wrong = (message: string, remedy: string): GatewayError => new GatewayError('input-invalid', message, { remedy });

/** Whether it is a day that there is, written as `2026-05-31`. */
export function isDay(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
}

/** Throws `input-invalid` for what is no day, or one after `latestDay`. */
export function assertDay(text: string, name: string, latestDay: string): void {
  if (!isDay(text)) throw wrong(`"${text}" is no day.`, `Give ${name} like 2026-05-31.`);
  if (text > latestDay) throw wrong(`${text} lies in the future.`, `Give ${name}; it is no later than ${latestDay}.`);
}

/**
 * Gives the facts without blanks around them, and with nothing else in them. Throws `input-invalid` for a field that is missing, a
 * day that is none, or one after `latestDay`. `facts` may be anything that claims to be of the type: it comes from outside.
 */
export function readFacts(facts: HoldFacts, latestDay: string): HoldFacts {
  const given = facts as unknown as Readonly<Record<string, unknown>>;
  if (!Object.hasOwn(factFields, facts.ground)) {
    throw wrong(
      `"${String(given['ground'])}" is no ground for a hold.`,
      `Use one of: ${Object.keys(factFields).join(', ')}.`,
    );
  }
  const { ground } = facts;
  const read: Record<string, string> = { ground };
  for (const field of factFields[ground]) {
    const value = given[field];
    const text = typeof value === 'string' ? value.trim() : '';
    if (text === '' || (field === 'description' && text.length < 10)) {
      throw wrong(
        `A hold on the ground "${ground}" says ${names[field]}; free text alone is refused.`,
        `Give ${field}.`,
      );
    }
    if (text.length > longest(field)) {
      throw wrong(`${field} is longer than ${longest(field)} characters.`, 'Write it shorter.');
    }
    if (field.endsWith('On')) assertDay(text, names[field], latestDay);
    read[field] = text;
  }
  return read as unknown as HoldFacts;
}

/** One line by which a person knows the case. */
export function referenceOf(facts: HoldFacts): string {
  switch (facts.ground) {
    case 'reported-offence':
      return facts.journalNumber;
    case 'dispute':
      return facts.counterparty;
    case 'access-request':
    case 'complaint':
      return facts.caseNumber;
    case 'legal-duty':
      return facts.provision;
  }
}
