/** Instants in the site's time zone, never without their offset. */
import { formatOffset, usToLocal } from '../domain/time.js';

/** In a narrow column the offset does not lose its time. */
const noBreak = '\u00a0';

/** `23 Nov 2026, 14.05.09 +01:00` in the reader's language; without the seconds where they only take room. */
export function showTime(us: number, zone: string, language: string, { seconds = true } = {}): string {
  const text = new Intl.DateTimeFormat(language === 'da' ? 'da-DK' : 'en-GB', {
    timeZone: zone,
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    ...(seconds && { second: '2-digit' }),
  }).format(us / 1000);
  return `${text}${seconds ? ' ' : noBreak}${formatOffset(usToLocal(us, zone).offsetMinutes)}`;
}

const sizes = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

export function showBytes(sizeBytes: number, language: string): string {
  let value = sizeBytes;
  let unit = 0;
  while (value >= 1000 && unit < sizes.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(value)} ${sizes[unit] ?? ''}`;
}
