/** What is written along the edge of a masked copy. */
import { formatLocal } from '../domain/time.js';
import type { LabelOptions } from '../platform/native.js';

export interface CopyLabel {
  /** Journal number of the case, and what the camera is called; left out where they are not known. */
  readonly case?: string | undefined;
  readonly camera?: string | undefined;
  /** When the first frame of the recording was made; without it the time since then is shown. */
  readonly startUs?: number | undefined;
  readonly timeZone: string;
}

const letters: Record<string, string> = {
  Æ: 'AE',
  Ø: 'OE',
  Å: 'AA',
  Ä: 'AE',
  Ö: 'OE',
  Ü: 'UE',
  ß: 'SS',
  '–': '-',
  '—': '-',
};

/** A text in the letters of the built-in font: capitals, Danish letters written out, accents left off. */
export function toLabelText(text: string): string {
  return text
    .toUpperCase()
    .normalize('NFC')
    .replaceAll(/[^ -~]/g, (letter) => letters[letter] ?? letter.normalize('NFD').replaceAll(/[^ -~]/g, ''))
    .trim();
}

/** Gives the text of a frame from its time since the first one; it changes with the clock's seconds, not with the frame. */
export function labelTexts(label: CopyLabel): {
  readonly options: LabelOptions;
  readonly textAt: (us: number) => string;
} {
  const parts = ['REDACTED COPY', label.case, label.camera].filter((part) => part !== undefined && part !== '');
  let [second, text] = [Number.NaN, ''];
  const textAt = (us: number): string => {
    const now = Math.floor(((label.startUs ?? 0) + us) / 1e6);
    if (now !== second) {
      second = now;
      const time = label.startUs === undefined ? elapsed(now) : formatLocal(now * 1_000_000, label.timeZone);
      text = toLabelText([...parts, time].join('  '));
    }
    return text;
  };
  // All have the same length, but for hours of three digits, which are cut rather than written over.
  return { options: { edge: 'top', longest: textAt(0).length }, textAt };
}

const two = (value: number): string => String(value).padStart(2, '0');
const elapsed = (seconds: number): string =>
  `+${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
