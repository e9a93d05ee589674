/**
 * The deletion report on paper: A4 across, tables that go on with their head on the next page, pages numbered. From the report
 * alone, so the same report gives the same bytes. Fonts are those that every reader has: Latin letters, æ, ø and å among them.
 */
import PDFDocument from 'pdfkit';
import type { CameraReport, DeletionReport } from '../domain/deletion-report.js';
import type { WrittenInstant } from '../domain/written-instant.js';
import { reportTexts, type ReportLanguage, type ReportTexts } from './report-texts.js';

type Doc = InstanceType<typeof PDFDocument>;

const margin = 40;
const ink = '#1a1d21';
const soft = '#5b6470';
const rule = '#c9ced6';
const alarm = '#a01722';
const plain = 'Helvetica';
const bold = 'Helvetica-Bold';

/** The standard fonts have Windows-1252; anything else would come out as other letters. */
const latin = (text: string): string => text.replace(/[^\x20-\x7e\xa0-\xff\u2013\n]/g, '?');

const when = (of: WrittenInstant | null): string =>
  of === null ? '–' : `${of.local.slice(0, 16).replace('T', ' ')} ${of.local.slice(-6)}`;

interface Column {
  readonly title: string;
  /** Parts of the width of the page. */
  readonly width: number;
  readonly right?: true;
}
interface Cell {
  readonly text: string;
  readonly alarm?: boolean;
}

export async function reportPdf(report: DeletionReport, language: ReportLanguage): Promise<Buffer> {
  const texts = reportTexts[language];
  const at = new Date(report.range.end.us / 1000);
  const doc = new PDFDocument({
    size: 'A4',
    layout: 'landscape',
    margins: { top: margin, left: margin, right: margin, bottom: margin },
    bufferPages: true,
    lang: language,
    // The end of the month, not the time of writing: the same report is the same file.
    info: {
      Title: latin(`${texts.title} ${report.month}`),
      Producer: 'tredive',
      Creator: 'tredive',
      CreationDate: at,
      ModDate: at,
    },
  });
  const chunks: Buffer[] = [];
  const done = new Promise<Buffer>((resolve, reject) => {
    doc.on('data', (chunk: Buffer) => chunks.push(chunk));
    doc.on('end', () => {
      resolve(Buffer.concat(chunks));
    });
    doc.on('error', reject);
  });
  head(doc, report, texts);
  cameras(doc, report, texts);
  holds(doc, report, texts);
  exceptions(doc, report, texts);
  proof(doc, report, texts);
  number(doc, report, texts);
  doc.end();
  return done;
}

const widthOf = (doc: Doc): number => doc.page.width - 2 * margin;
/** Above the line that has the number of the page. */
const bottomOf = (doc: Doc): number => doc.page.height - margin - 18;

function need(doc: Doc, height: number): void {
  if (doc.y + height > bottomOf(doc)) doc.addPage();
}

function heading(doc: Doc, text: string): void {
  need(doc, 70);
  doc.moveDown(1).font(bold).fontSize(12).fillColor(ink).text(latin(text), margin).moveDown(0.4);
}

function paragraph(doc: Doc, text: string, color = ink): void {
  doc
    .font(plain)
    .fontSize(9)
    .fillColor(color)
    .text(latin(text), margin, doc.y, { width: widthOf(doc) });
}

function head(doc: Doc, report: DeletionReport, texts: ReportTexts): void {
  doc.font(bold).fontSize(18).fillColor(ink).text(latin(texts.title)).moveDown(0.3);
  const { start, end } = report.range;
  paragraph(doc, `${texts.site}: ${report.site.name}`);
  paragraph(doc, `${texts.month}: ${report.month}`);
  paragraph(doc, `${texts.period}: ${when(start)} ${texts.until} ${when(end)} (${report.site.timezone})`);
  doc.moveDown(0.5);
  paragraph(doc, texts.intro, soft);
  doc.moveDown(0.6);
  const { totals } = report;
  const clean = totals.deletedLate + totals.stillThere === 0;
  doc
    .font(bold)
    .fontSize(11)
    .fillColor(clean ? ink : alarm)
    .text(latin(clean ? texts.allOk : texts.notOk))
    .moveDown(0.5);
  const { summary } = texts;
  const figures: [string, string][] = [
    [summary.segments, count(totals.segments, texts)],
    [summary.hours, count(totals.hours, texts)],
    [summary.absent, count(totals.alreadyAbsent, texts)],
    [summary.worst, span(totals.worstSeconds, texts)],
    [summary.late, count(totals.deletedLate, texts)],
    [summary.still, count(totals.stillThere, texts)],
    [summary.holds, count(totals.holds, texts)],
  ];
  table(
    doc,
    figures.map(([title]) => ({ title, width: 1, right: true })),
    [figures.map(([, text]) => ({ text }))],
  );
}

const count = (value: number, texts: ReportTexts): string =>
  new Intl.NumberFormat(texts.locale, { maximumFractionDigits: 2, useGrouping: true })
    .format(value)
    .replace(/[\u202f\u2009]/g, '\u00a0');

/** The two largest units. */
function span(seconds: number | null, { units }: ReportTexts): string {
  if (seconds === null) return '–';
  if (seconds < 60) return `${seconds} ${units.second}`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} ${units.minute}`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} ${units.hour} ${minutes % 60} ${units.minute}`;
  return `${Math.floor(hours / 24)} ${units.day} ${hours % 24} ${units.hour}`;
}

function cameras(doc: Doc, report: DeletionReport, texts: ReportTexts): void {
  heading(doc, texts.cameras);
  const { camera: title } = texts;
  table(
    doc,
    [
      { title: title.camera, width: 1.5 },
      { title: title.class, width: 1.85 },
      { title: title.oldest, width: 1.3 },
      { title: title.limit, width: 1.3 },
      { title: title.disk, width: 1.6 },
      { title: title.deleted, width: 0.9, right: true },
      { title: title.hours, width: 0.9, right: true },
      { title: title.median, width: 1, right: true },
      { title: title.worst, width: 1, right: true },
      { title: title.late, width: 0.9, right: true },
      { title: title.still, width: 0.8, right: true },
      { title: title.failed, width: 0.9, right: true },
    ],
    report.cameras.map((camera) => cameraRow(camera, report, texts)),
  );
}

function cameraRow(camera: CameraReport, report: DeletionReport, texts: ReportTexts): Cell[] {
  const { byDisk, byIndex, limit } = camera.oldest;
  const late = limit !== null && limit.us <= report.range.end.us && camera.misses.stillThere > 0;
  return [
    { text: camera.id },
    { text: `${texts.classes[camera.class]}, ${camera.retentionDays}` },
    { text: when(byIndex) },
    { text: when(limit), alarm: late },
    byDisk === null
      ? { text: '–' }
      : {
          text: `${when(byDisk.oldest)}\n${texts.diskDetail(byDisk.files, byDisk.overLimit, byDisk.notIndexed)}`,
          alarm: byDisk.overLimit + byDisk.notIndexed > 0,
        },
    { text: count(camera.deletions.segments, texts) },
    { text: count(camera.deletions.hours, texts) },
    { text: span(camera.lateness.medianSeconds, texts) },
    { text: span(camera.lateness.worstSeconds, texts) },
    { text: count(camera.misses.deletedLate, texts), alarm: camera.misses.deletedLate > 0 },
    { text: count(camera.misses.stillThere, texts), alarm: camera.misses.stillThere > 0 },
    {
      text: `${count(camera.exceptions.refused, texts)} / ${count(camera.exceptions.failedAttempts, texts)}`,
      alarm: camera.exceptions.refused + camera.exceptions.failedAttempts > 0,
    },
  ];
}

function holds(doc: Doc, report: DeletionReport, texts: ReportTexts): void {
  heading(doc, texts.holds);
  const rows = report.cameras.flatMap((camera) =>
    camera.holds.map((hold): Cell[] => [
      { text: camera.id },
      { text: texts.grounds[hold.ground] },
      { text: `${when(hold.range.start)} – ${when(hold.range.end)}` },
      { text: when(hold.placed) },
      { text: when(hold.review) },
      { text: when(hold.lifted) },
      { text: stateOf(hold, texts), alarm: hold.approval === 'overdue' || hold.notice?.overdue === true },
    ]),
  );
  if (rows.length === 0) {
    paragraph(doc, texts.noHolds);
    return;
  }
  const { hold: title } = texts;
  table(
    doc,
    [
      { title: title.camera, width: 1.4 },
      { title: title.ground, width: 1.5 },
      { title: title.range, width: 2.4 },
      { title: title.placed, width: 1.2 },
      { title: title.review, width: 1.2 },
      { title: title.lifted, width: 1.2 },
      { title: title.state, width: 1.9 },
    ],
    rows,
  );
}

function stateOf({ approval, notice }: CameraReport['holds'][number], texts: ReportTexts): string {
  const parts = [
    ...(approval === undefined ? [] : [texts.approval[approval]]),
    ...(notice === undefined
      ? []
      : [texts.notice(when(notice.due), notice.told === null ? null : when(notice.told), notice.overdue)]),
  ];
  return parts.length === 0 ? '–' : parts.join('. ');
}

function exceptions(doc: Doc, report: DeletionReport, texts: ReportTexts): void {
  heading(doc, texts.exceptions);
  const { exceptions: found } = report;
  const { exception } = texts;
  const sum = (key: 'refused' | 'failedAttempts'): number =>
    report.cameras.reduce((total, camera) => total + camera.exceptions[key], 0);
  const overdue = (of: (hold: CameraReport['holds'][number]) => boolean): number =>
    report.cameras.reduce((total, camera) => total + camera.holds.filter(of).length, 0);
  const lines: [string, number | null, boolean][] = [
    [exception.sweeps, found.sweeps, false],
    [exception.pause, found.longestPauseHours, false],
    [exception.clock, found.refused.clock, true],
    [exception.other, found.refused.other, true],
    [exception.accepted, found.clockAccepted, true],
    ...found.rootsInDoubt.map(({ root, sweeps }): [string, number, boolean] => [
      `${exception.root} ${root}`,
      sweeps,
      true,
    ]),
    [exception.quarantine, found.quarantineOverdue, true],
    [exception.refused, sum('refused'), true],
    [exception.failed, sum('failedAttempts'), true],
    [exception.approvals, overdue(({ approval }) => approval === 'overdue'), true],
    [exception.notices, overdue(({ notice }) => notice?.overdue === true), true],
  ];
  facts(
    doc,
    lines.map(([title, value, bad]) => [
      title,
      value === null ? texts.none : count(value, texts),
      bad && value !== null && value > 0,
    ]),
  );
}

function proof(doc: Doc, report: DeletionReport, texts: ReportTexts): void {
  heading(doc, texts.proof);
  paragraph(doc, texts.proofText);
  doc.moveDown(0.4);
  const { audit } = report;
  const { proofOf } = texts;
  const checkpoint = (of: typeof audit.first): string =>
    of === null ? texts.none : texts.entries(of.size, when(of.at));
  facts(doc, [
    [proofOf.origin, audit.origin, false],
    [proofOf.first, checkpoint(audit.first), false],
    [proofOf.last, checkpoint(audit.last), false],
    [proofOf.auditKey, audit.keySha256, false],
    [proofOf.reportKey, report.reportKeySha256, false],
    [proofOf.software, `tredive ${report.software.version}`, false],
  ]);
}

function facts(doc: Doc, lines: readonly (readonly [string, string, boolean])[]): void {
  for (const [title, value, bad] of lines) {
    need(doc, 14);
    const { y } = doc;
    doc.font(plain).fontSize(9).fillColor(soft).text(latin(title), margin, y, { width: 300 });
    const { y: below } = doc;
    doc
      .font(bad ? bold : plain)
      .fillColor(bad ? alarm : ink)
      .text(latin(value), margin + 310, y, { width: widthOf(doc) - 310 });
    doc.y = Math.max(below, doc.y) + 2;
  }
  doc.x = margin;
}

const padding = 3;

/** A row is never cut: where it does not fit, it begins the next page, below the head. */
function table(doc: Doc, columns: readonly Column[], rows: readonly (readonly Cell[])[]): void {
  const parts = columns.reduce((total, { width }) => total + width, 0);
  const widths = columns.map(({ width }) => (width / parts) * widthOf(doc));
  const heightOf = (cells: readonly Cell[]): number => {
    // Measured in bold, which is the wider one: what turns red must not grow out of its row.
    doc.font(bold).fontSize(8);
    return (
      Math.max(
        ...cells.map(({ text }, at) => doc.heightOfString(latin(text), { width: (widths[at] ?? 0) - 2 * padding })),
        0,
      ) +
      2 * padding
    );
  };
  const draw = (cells: readonly Cell[], font: string, color: string): void => {
    const height = heightOf(cells);
    const { y } = doc;
    let x = margin;
    cells.forEach((cell, at) => {
      const bad = cell.alarm === true;
      doc
        .font(bad ? bold : font)
        .fontSize(8)
        .fillColor(bad ? alarm : color)
        .text(latin(cell.text), x + padding, y + padding, {
          width: (widths[at] ?? 0) - 2 * padding,
          align: columns[at]?.right === true ? 'right' : 'left',
        });
      x += widths[at] ?? 0;
    });
    doc
      .moveTo(margin, y + height)
      .lineTo(margin + widthOf(doc), y + height)
      .lineWidth(0.5)
      .strokeColor(rule)
      .stroke();
    doc.x = margin;
    doc.y = y + height;
  };
  const titles = columns.map(({ title }): Cell => ({ text: title }));
  need(doc, heightOf(titles) + heightOf(rows[0] ?? []));
  draw(titles, bold, soft);
  for (const row of rows) {
    if (doc.y + heightOf(row) > bottomOf(doc)) {
      doc.addPage();
      draw(titles, bold, soft);
    }
    draw(row, plain, ink);
  }
}

function number(doc: Doc, report: DeletionReport, texts: ReportTexts): void {
  const { start, count: pages } = doc.bufferedPageRange();
  for (let page = start; page < start + pages; page += 1) {
    doc.switchToPage(page);
    // Below the margin: without this, writing there would begin a new page.
    doc.page.margins.bottom = 0;
    const y = doc.page.height - margin;
    doc.font(plain).fontSize(8).fillColor(soft);
    doc.text(latin(`${texts.title} ${report.month} – ${report.site.name}`), margin, y, {
      width: 500,
      lineBreak: false,
    });
    doc.text(latin(texts.page(page + 1, pages)), margin, y, { width: widthOf(doc), align: 'right', lineBreak: false });
  }
}
