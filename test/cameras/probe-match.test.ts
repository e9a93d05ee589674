import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseXaddr, parseProbeAnswer, serviceUrl } from '../../src/cameras/probe-match.js';
import { GatewayError } from '../../src/errors.js';
import { capture, haveCaptures } from './captures.js';

const answer = (matches: string, relatesTo = '<RelatesTo>urn:uuid:A-1</RelatesTo>') =>
  Buffer.from(`<Envelope><Header>${relatesTo}</Header><Body><ProbeMatches>${matches}</ProbeMatches></Body></Envelope>`);
const match = (urn: string, xaddrs: string, more = '') =>
  `<ProbeMatch><EndpointReference><Address>${urn}</Address></EndpointReference>${more}<XAddrs>${xaddrs}</XAddrs></ProbeMatch>`;

describe.skipIf(!haveCaptures)('parseProbeAnswer on captured answers', () => {
  it.each([
    [
      'probematches-1-from-3702.xml',
      {
        urn: 'urn:uuid:cf42c1e8-5d21-513e-a915-aeb28c4ef818',
        xaddrs: ['http://127.0.0.1:8080/onvif/device_service'],
        name: 'TestCam-S1',
        hardware: 'SIMPLE-HW',
      },
    ],
    [
      'probematches-2-from-ephemeral.xml',
      {
        urn: 'urn:uuid:15b21259-77d9-441f-9913-3ccd8a82e430',
        xaddrs: ['http://127.0.0.1:8081/onvif/device_service'],
        name: 'Cardinal',
        hardware: 'Onvif',
      },
    ],
    [
      'probematches-3-from-3702.xml',
      {
        urn: 'urn:uuid:5f5a69c2-e0ae-504f-829b-00000000ac1d',
        xaddrs: ['http://127.0.0.1:8082/onvif/device_service'],
        name: 'Gsoap Café',
        hardware: null,
      },
    ],
  ])('reads %s', (file, expected) => {
    const read = parseProbeAnswer(capture(file));
    expect(read.relatesTo).toBe('7edbc3bf-94c5-4d5b-a238-e6db9196f79d');
    expect(read.rejected).toEqual([]);
    expect(read.matches).toHaveLength(1);
    expect(read.matches[0]).toMatchObject(expected);
    expect(read.matches[0]?.types).toEqual(['NetworkVideoTransmitter']);
  });

  it('refuses every cut of a captured answer with a coded error', () => {
    const whole = capture('probematches-1-from-3702.xml');
    for (let length = 0; length < whole.length; length += 1) {
      expect(() => parseProbeAnswer(whole.subarray(0, length))).toThrow(GatewayError);
    }
  });
});

describe('parseProbeAnswer', () => {
  it('reads several matches in one answer and leaves out what is no camera or has no address', () => {
    const read = parseProbeAnswer(
      answer(
        match('urn:uuid:ONE', 'http://10.0.0.1/onvif/device_service https://10.0.0.1/onvif/device_service') +
          match(
            'urn:uuid:two',
            'http://user:secret@10.0.0.2:8000/x',
            '<Types>dn:NetworkVideoTransmitter tds:Device</Types>',
          ) +
          match('urn:uuid:three', 'http://10.0.0.3/', '<Types>wprt:PrintDeviceType</Types>') +
          match('urn:uuid:four', 'javascript:alert(1) file:///etc/passwd http://') +
          '<ProbeMatch/>',
      ),
    );
    expect(read.relatesTo).toBe('a-1');
    expect(read.matches.map(({ urn, xaddrs }) => [urn, xaddrs])).toEqual([
      ['urn:uuid:one', ['http://10.0.0.1/onvif/device_service', 'https://10.0.0.1/onvif/device_service']],
      ['urn:uuid:two', ['http://10.0.0.2:8000/x']],
    ]);
    expect(read.rejected).toHaveLength(3);
    expect(read.rejected.join()).toContain('PrintDeviceType');
  });

  it('keeps a name that is not UTF-8 percent encoding, and makes none dangerous to print', () => {
    const scopes = (name: string) => `<Scopes>onvif://www.onvif.org/name/${name}</Scopes>`;
    const nameOf = (name: string) =>
      parseProbeAnswer(answer(match('u', 'http://10.0.0.1/', scopes(name)))).matches[0]?.name;
    expect(nameOf('K%F8kken')).toBe('K%F8kken');
    expect(nameOf('a%1B%5B2J%0Ab')).toBe('a [2J b');
    expect(nameOf('')).toBeNull();
  });

  it('never throws anything but a coded error, whatever the bytes', () => {
    const word = fc.oneof(
      fc.constantFrom(
        'http://10.0.0.1/',
        'https://[::1]:1/',
        'urn:uuid:x',
        'dn:NetworkVideoTransmitter',
        'onvif://www.onvif.org/name/%',
        '&#1;',
      ),
      fc.string({ maxLength: 8 }),
    );
    const element = fc.constantFrom(
      'Envelope',
      'Header',
      'Body',
      'ProbeMatches',
      'ProbeMatch',
      'EndpointReference',
      'Address',
      'Types',
      'Scopes',
      'XAddrs',
      'RelatesTo',
      '__proto__',
    );
    const tree = fc.letrec<{ node: string }>((tie) => ({
      node: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        word,
        fc
          .tuple(element, fc.array(tie('node'), { maxLength: 4 }))
          .map(([name, inner]) => `<x:${name}>${inner.join(' ')}</x:${name}>`),
      ),
    })).node;
    const datagram = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      tree.map((text) => Buffer.from(text)),
      tree.map((text) => answer(text, '')),
    );
    fc.assert(
      fc.property(datagram, (bytes) => {
        try {
          for (const { urn, xaddrs } of parseProbeAnswer(bytes).matches) {
            expect(urn).not.toBe('');
            for (const xaddr of xaddrs) expect(new URL(xaddr).protocol).toMatch(/^https?:$/);
            chooseXaddr(xaddrs, '10.0.0.9', []);
          }
        } catch (error) {
          if (!(error instanceof GatewayError)) throw error;
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe('chooseXaddr', () => {
  const own = ['127.0.0.1', '192.168.1.2'];
  it.each([
    ['the one of the sender', ['http://10.0.0.9/a', 'http://10.0.0.5/a'], '10.0.0.5', 'http://10.0.0.5/a'],
    ['plain before TLS', ['https://10.0.0.5/a', 'http://10.0.0.5/a'], '10.0.0.5', 'http://10.0.0.5/a'],
    ['TLS where there is no other', ['https://10.0.0.5/a'], '10.0.0.5', 'https://10.0.0.5/a'],
    ['a private one of a private sender', ['http://192.168.7.7/a'], '192.168.1.9', 'http://192.168.7.7/a'],
    ['loopback from this machine', ['http://127.0.0.1:81/a'], '192.168.1.2', 'http://127.0.0.1:81/a'],
    ['no loopback from elsewhere', ['http://127.0.0.1:81/a'], '192.168.1.9', null],
    ['nothing public', ['http://203.0.113.7/a'], '192.168.1.9', null],
    ['no metadata service', ['http://169.254.169.254/latest'], '192.168.1.9', null],
    ['no names', ['http://intranet/a'], '192.168.1.9', null],
    ['nothing from nothing', [], '192.168.1.9', null],
  ])('takes %s', (_name, xaddrs, sender, expected) => {
    expect(chooseXaddr(xaddrs, sender, own)).toBe(expected);
  });

  it('normalises disguised addresses first', () => {
    expect(chooseXaddr([serviceUrl('http://2130706433/') ?? ''], '192.168.1.9', own)).toBeNull();
  });
});
