/** The words of the deletion report on paper. Danish is what it is read in; both say the same. */
import type { CameraClass } from '../domain/camera.js';
import type { HoldGround } from '../domain/hold.js';

export const reportLanguages = ['da', 'en'] as const;
export type ReportLanguage = (typeof reportLanguages)[number];

export interface ReportTexts {
  readonly locale: string;
  readonly title: string;
  readonly site: string;
  readonly month: string;
  readonly period: string;
  readonly until: string;
  readonly intro: string;
  readonly allOk: string;
  readonly notOk: string;
  readonly summary: Readonly<Record<'segments' | 'hours' | 'absent' | 'worst' | 'late' | 'still' | 'holds', string>>;
  readonly cameras: string;
  readonly camera: Readonly<
    Record<
      | 'camera'
      | 'class'
      | 'oldest'
      | 'limit'
      | 'disk'
      | 'deleted'
      | 'hours'
      | 'median'
      | 'worst'
      | 'late'
      | 'still'
      | 'failed',
      string
    >
  >;
  readonly diskDetail: (files: number, over: number, stray: number) => string;
  readonly classes: Readonly<Record<CameraClass, string>>;
  readonly holds: string;
  readonly noHolds: string;
  readonly hold: Readonly<Record<'camera' | 'ground' | 'range' | 'placed' | 'review' | 'lifted' | 'state', string>>;
  /** Whether legal has decided on what security placed, and whether the other party of a dispute was told in time. */
  readonly approval: Readonly<Record<'given' | 'waiting' | 'overdue' | 'refused', string>>;
  readonly notice: (due: string, told: string | null, overdue: boolean) => string;
  readonly grounds: Readonly<Record<HoldGround, string>>;
  readonly exceptions: string;
  readonly exception: Readonly<
    Record<
      | 'sweeps'
      | 'pause'
      | 'clock'
      | 'other'
      | 'accepted'
      | 'root'
      | 'quarantine'
      | 'refused'
      | 'failed'
      | 'approvals'
      | 'notices',
      string
    >
  >;
  readonly none: string;
  readonly proof: string;
  readonly proofText: string;
  readonly proofOf: Readonly<Record<'origin' | 'first' | 'last' | 'auditKey' | 'reportKey' | 'software', string>>;
  readonly entries: (size: number, at: string) => string;
  readonly page: (page: number, of: number) => string;
  readonly units: Readonly<Record<'day' | 'hour' | 'minute' | 'second', string>>;
}

export const reportTexts: Readonly<Record<ReportLanguage, ReportTexts>> = {
  da: {
    locale: 'da-DK',
    title: 'Rapport om sletning af tv-overvågning',
    site: 'Sted',
    month: 'Måned',
    period: 'Periode',
    until: 'til',
    intro:
      'Rapporten viser for hvert kamera, om optagelser er slettet i tide: det ældste billede ved månedens udgang, hvad der er slettet og hvor punktligt, hvad der blev slettet efter lovens frist eller stadig lå der, hvad der er holdt tilbage og hvorfor. Den indeholder ingen billeder og ingen navne på personer. Den er et hjælpemiddel og ikke juridisk rådgivning.',
    allOk: 'Ingen overskridelser af lovens frist i måneden.',
    notOk: 'Lovens frist blev overskredet. Se kolonnerne "Slettet for sent" og "Lå der endnu".',
    summary: {
      segments: 'Slettede filer',
      hours: 'Timers optagelse',
      absent: 'heraf væk, da turen kom',
      worst: 'Største forsinkelse',
      late: 'Slettet for sent',
      still: 'Lå der endnu',
      holds: 'Tilbageholdelser',
    },
    cameras: 'Kameraer',
    camera: {
      camera: 'Kamera',
      class: 'Klasse, dage',
      oldest: 'Ældste billede ved månedens udgang',
      limit: 'Skal være væk inden',
      disk: 'På disken selv',
      deleted: 'Slettede filer',
      hours: 'Timer',
      median: 'Forsinkelse, median',
      worst: 'Forsinkelse, værst',
      late: 'Slettet for sent',
      still: 'Lå der endnu',
      failed: 'Afvist / mislykket',
    },
    diskDetail: (files, over, stray) =>
      `${files} filer${over > 0 ? `, ${over} over fristen` : ''}${stray > 0 ? `, ${stray} ukendte` : ''}`,
    classes: {
      'crime-prevention': 'Kriminalitetsforebyggelse',
      municipal: 'Kommunal',
      permit: 'Tilladelse',
      'live-only': 'Kun direkte visning',
      'other-purpose': 'Andet formål',
    },
    holds: 'Tilbageholdelser',
    noHolds: 'Ingen optagelser blev holdt tilbage i måneden.',
    hold: {
      camera: 'Kamera',
      ground: 'Grundlag',
      range: 'Optagelser fra – til',
      placed: 'Oprettet',
      review: 'Tages op senest',
      lifted: 'Ophørt',
      state: 'Jura og modpart',
    },
    approval: {
      given: 'Godkendt af jura',
      waiting: 'Venter på jura',
      overdue: 'Jura har overskredet fristen',
      refused: 'Afvist af jura',
    },
    notice: (due, told, overdue) =>
      told === null
        ? `Modparten ${overdue ? 'IKKE underrettet; frist' : 'underrettes senest'} ${due}`
        : `Modparten underrettet ${told}${overdue ? `, EFTER fristen ${due}` : ''}`,
    grounds: {
      'disclosure-request': 'Anmodning om udlevering',
      'reported-offence': 'Anmeldt strafbart forhold',
      dispute: 'Konkret tvist',
      'access-request': 'Indsigtsanmodning',
      complaint: 'Klage',
      'legal-duty': 'Anden pligt efter loven',
    },
    exceptions: 'Undtagelser',
    exception: {
      sweeps: 'Gennemførte sletterunder',
      pause: 'Længste tid uden sletterunde (timer)',
      clock: 'Sletterunder afvist, fordi uret ikke var til at stole på',
      other: 'Sletterunder afvist af andre grunde',
      accepted: 'Gange, uret blev bekræftet af en person',
      root: 'Sletterunder, hvor disken ikke var til at stole på:',
      quarantine: 'Filer i karantæne, der kan være over fristen',
      refused: 'Sletninger afvist, fordi filen ikke var den indekserede',
      failed: 'Mislykkede forsøg på sletning',
      approvals: 'Tilbageholdelser, som jura ikke tog stilling til i tide',
      notices: 'Tvister, hvor modparten ikke blev underrettet i tide',
    },
    none: 'Ingen',
    proof: 'Grundlag og kontrol',
    proofText:
      'Tallene bygger på sletteposterne og på revisionsloggen mellem de to kontrolpunkter herunder. Mappen kan kontrolleres uden netværk med "tredive verify MAPPE": signaturen i SHA256SUMS.sig dækker alle filer i mappen, også denne.',
    proofOf: {
      origin: 'Log',
      first: 'Første kontrolpunkt',
      last: 'Sidste kontrolpunkt',
      auditKey: 'Loggens nøgle (SHA-256)',
      reportKey: 'Rapportens nøgle (SHA-256)',
      software: 'Program',
    },
    entries: (size, at) => `${size} poster, ${at}`,
    page: (page, of) => `Side ${page} af ${of}`,
    units: { day: 'd', hour: 't', minute: 'min', second: 's' },
  },
  en: {
    locale: 'en-GB',
    title: 'Report on deletion of CCTV recordings',
    site: 'Site',
    month: 'Month',
    period: 'Period',
    until: 'to',
    intro:
      'For each camera this report shows whether recordings were deleted in time: the oldest frame at the end of the month, what was deleted and how punctually, what was deleted after the legal limit or was still there, what is held and on which ground. It has no pictures and no names of people. It is an aid and not legal advice.',
    allOk: 'The legal limit was not exceeded in this month.',
    notOk: 'The legal limit was exceeded. See the columns "Deleted too late" and "Still there".',
    summary: {
      segments: 'Files deleted',
      hours: 'Hours of recording',
      absent: 'of them gone when their turn came',
      worst: 'Worst lateness',
      late: 'Deleted too late',
      still: 'Still there',
      holds: 'Holds',
    },
    cameras: 'Cameras',
    camera: {
      camera: 'Camera',
      class: 'Class, days',
      oldest: 'Oldest frame at the end of the month',
      limit: 'Has to be gone before',
      disk: 'On the disk itself',
      deleted: 'Files deleted',
      hours: 'Hours',
      median: 'Lateness, median',
      worst: 'Lateness, worst',
      late: 'Deleted too late',
      still: 'Still there',
      failed: 'Refused / failed',
    },
    diskDetail: (files, over, stray) =>
      `${files} files${over > 0 ? `, ${over} over the limit` : ''}${stray > 0 ? `, ${stray} unknown` : ''}`,
    classes: {
      'crime-prevention': 'Crime prevention',
      municipal: 'Municipal',
      permit: 'Permit',
      'live-only': 'Live only',
      'other-purpose': 'Other purpose',
    },
    holds: 'Holds',
    noHolds: 'No recordings were held in this month.',
    hold: {
      camera: 'Camera',
      ground: 'Ground',
      range: 'Recordings from – to',
      placed: 'Placed',
      review: 'Review no later than',
      lifted: 'Ended',
      state: 'Legal and other party',
    },
    approval: {
      given: 'Approved by legal',
      waiting: 'Waits for legal',
      overdue: 'Legal is overdue',
      refused: 'Refused by legal',
    },
    notice: (due, told, overdue) =>
      told === null
        ? `Other party ${overdue ? 'NOT told; was due' : 'to be told before'} ${due}`
        : `Other party told ${told}${overdue ? `, AFTER ${due}` : ''}`,
    grounds: {
      'disclosure-request': 'Disclosure request',
      'reported-offence': 'Reported offence',
      dispute: 'Concrete dispute',
      'access-request': 'Access request',
      complaint: 'Complaint',
      'legal-duty': 'Other duty named by law',
    },
    exceptions: 'Exceptions',
    exception: {
      sweeps: 'Sweeps carried out',
      pause: 'Longest time without a sweep (hours)',
      clock: 'Sweeps refused because the clock was in doubt',
      other: 'Sweeps refused for other reasons',
      accepted: 'Times that a person confirmed the clock',
      root: 'Sweeps in which the disk was in doubt:',
      quarantine: 'Files in quarantine that may be past the limit',
      refused: 'Deletions refused because the file was not the indexed one',
      failed: 'Failed attempts to delete',
      approvals: 'Holds that legal did not decide on in time',
      notices: 'Disputes in which the other party was not told in time',
    },
    none: 'None',
    proof: 'Basis and verification',
    proofText:
      'The figures rest on the records of deletions and on the audit log between the two checkpoints below. The folder can be checked offline with "tredive verify FOLDER": the signature in SHA256SUMS.sig covers all files in the folder, this one too.',
    proofOf: {
      origin: 'Log',
      first: 'First checkpoint',
      last: 'Last checkpoint',
      auditKey: 'Key of the log (SHA-256)',
      reportKey: 'Key of the report (SHA-256)',
      software: 'Program',
    },
    entries: (size, at) => `${size} entries, ${at}`,
    page: (page, of) => `Page ${page} of ${of}`,
    units: { day: 'd', hour: 'h', minute: 'min', second: 's' },
  },
};
