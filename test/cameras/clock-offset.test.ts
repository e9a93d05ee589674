import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { computeClockOffset, readCameraTime } from '../../src/cameras/clock-offset.js';
import { datagramLimits, parseXml } from '../../src/cameras/xml.js';

describe('computeClockOffset', () => {
  it('takes the middle, with half a second and half the round trip as bound', () => {
    expect(computeClockOffset({ cameraUtcMs: 100_000, sentMs: 10_000, receivedMs: 10_200 })).toEqual({
      offsetMs: 90_400,
      uncertaintyMs: 600,
    });
  });

  it('always holds the true offset within its bound', () => {
    const ms = fc.integer({ min: 0, max: 5000 });
    fc.assert(
      fc.property(
        fc.integer({ min: -1e10, max: 1e10 }),
        ms,
        ms,
        fc.integer({ min: 0, max: 999 }),
        (trueOffset, out, back, phase) => {
          const sentMs = 1_800_000_000_000 + phase;
          const cameraUtcMs = Math.floor((sentMs + out + trueOffset) / 1000) * 1000;
          const { offsetMs, uncertaintyMs } = computeClockOffset({
            cameraUtcMs,
            sentMs,
            receivedMs: sentMs + out + back,
          });
          expect(Math.abs(offsetMs - trueOffset)).toBeLessThanOrEqual(uncertaintyMs + 1);
        },
      ),
    );
  });
});

describe('readCameraTime', () => {
  const read = (inner: string) =>
    readCameraTime(parseXml(Buffer.from(`<R><SystemDateAndTime>${inner}</SystemDateAndTime></R>`), datagramLimits));
  const at = (name: string, [y, mo, d, h, mi, s]: (number | string)[]) =>
    `<${name}><Time><Hour>${h ?? ''}</Hour><Minute>${mi ?? ''}</Minute><Second>${s ?? ''}</Second></Time>` +
    `<Date><Year>${y ?? ''}</Year><Month>${mo ?? ''}</Month><Day>${d ?? ''}</Day></Date></${name}>`;

  it('reads UTC and where it comes from', () => {
    expect(read(`<DateTimeType>NTP</DateTimeType>${at('UTCDateTime', [2026, 11, 23, 14, 22, 32])}`)).toEqual({
      utcMs: Date.UTC(2026, 10, 23, 14, 22, 32),
      source: 'NTP',
    });
    expect(read(at('UTCDateTime', [2028, 2, 29, 0, 0, 60]))?.utcMs).toBe(Date.UTC(2028, 1, 29, 0, 0, 59));
  });

  it.each([
    ['31 February', [2026, 2, 31, 0, 0, 0]],
    ['month 13', [2026, 13, 1, 0, 0, 0]],
    ['day 0', [2026, 1, 0, 0, 0, 0]],
    ['hour 24', [2026, 1, 1, 24, 0, 0]],
    ['minute 60', [2026, 1, 1, 0, 60, 0]],
    ['second 61', [2026, 1, 1, 0, 0, 61]],
    ['a year before computers', [1969, 1, 1, 0, 0, 0]],
    ['a missing year', ['', 1, 1, 0, 0, 0]],
    ['a negative', [2026, 1, 1, -1, 0, 0]],
    ['words', ['now', 1, 1, 0, 0, 0]],
  ])('refuses %s', (_name, parts) => {
    expect(read(at('UTCDateTime', parts))).toBeNull();
  });

  it('never takes local time for UTC', () => {
    expect(read(at('LocalDateTime', [2026, 11, 23, 15, 22, 32]))).toBeNull();
  });
});
