import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cleanText, datagramLimits, descend, escapeXml, parseXml, soapLimits, textAt } from '../../src/cameras/xml.js';
import { GatewayError } from '../../src/errors.js';

const parse = (text: string) => parseXml(Buffer.from(text), datagramLimits);

describe('parseXml', () => {
  it('reads elements, attributes, text, CDATA and references by local name', () => {
    const root = parse(
      '\uFEFF<?xml version="1.0"?>\r\n<!-- c --><a:r xmlns:a="u" a:t=\'1 &amp; 2\' n="x"><b:c>a&lt;&#229;&#xe6;</b:c><c/><d><![CDATA[<&>]]></d></a:r>\n',
    );
    expect(root.name).toBe('r');
    expect([...root.attributes]).toEqual([
      ['t', '1 & 2'],
      ['n', 'x'],
    ]);
    expect(textAt(root, 'c')).toBe('a<åæ');
    expect(textAt(root, 'd')).toBe('<&>');
    expect(descend(root, 'c', 'nothing')).toBeUndefined();
  });

  it('keeps an "&" that is no reference, and expands nothing it does not know', () => {
    expect(parse('<a>rtsp://h/?a=1&b=2&lol;&#0;&#xD800;</a>').text).toBe('rtsp://h/?a=1&b=2&lol;&#0;&#xD800;');
  });

  it.each([
    ['a document type', '<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>', 'document type'],
    ['a document type further in', '<a><!DOCTYPE b></a>', 'document type'],
    ['two roots', '<a/><b/>', 'more than one root'],
    ['text outside', '<a/>x', 'outside the root'],
    ['a wrong end tag', '<a><b></a></b>', 'wrong end tag'],
    ['a stray end tag', '</a>', 'wrong end tag'],
    ['a cut', '<a><b>', 'cut short'],
    ['a cut tag', '<a b="1"', 'does not end'],
    ['a cut comment', '<a><!--', 'missing'],
    ['bare attributes', '<a b=1/>', 'without quotes'],
    ['nothing', '', 'no element'],
    ['HTTP', 'HTTP/1.1 200 OK', 'outside the root'],
    ['depth', '<a>'.repeat(25) + '</a>'.repeat(25), 'deep'],
    ['number', `<a>${'<b/>'.repeat(5000)}</a>`, 'elements'],
    ['size', `<a>${'x'.repeat(65_536)}</a>`, 'at most'],
  ])('refuses %s', (_name, text, reason) => {
    expect(() => parse(text)).toThrow(
      expect.objectContaining({ code: 'input-invalid', message: expect.stringContaining(reason) as unknown }),
    );
  });

  it('takes linear time on the largest hostile documents', () => {
    const mib = 1024 * 1024;
    const hostile = ['<', '<a ', '&', '&#', 'xmlns', '<a>', '<!--', '</a', '<a b="', "<a b='1' "];
    const started = performance.now();
    for (const piece of hostile) {
      const text = Buffer.from(`<r>${piece.repeat(Math.floor((mib - 10) / piece.length))}`);
      expect(() => parseXml(text, soapLimits)).toThrow(GatewayError);
    }
    expect(performance.now() - started).toBeLessThan(5000);
  });

  it('ends in an element or a coded error for any bytes', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '<a>',
        '</a>',
        '<a/>',
        '<!--',
        '-->',
        '<![CDATA[',
        ']]>',
        '<?x',
        '?>',
        '&amp;',
        '&',
        '"',
        "='",
        '<!D',
        ' b="c"',
      ),
      fc.string({ unit: 'binary', maxLength: 5 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        try {
          expect(typeof parse(pieces.join('')).name).toBe('string');
        } catch (error) {
          if (!(error instanceof GatewayError)) throw error;
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('reads back any text it escaped', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(parse(`<a>${escapeXml(text)}</a>`).text).toBe(text.trim());
      }),
    );
  });
});

describe('cleanText', () => {
  it('leaves one line without control and direction characters', () => {
    expect(cleanText(' Lobby\u0000\u202E\n  two ')).toBe('Lobby two');
    expect(cleanText('\u200B')).toBeNull();
    expect(cleanText('x'.repeat(500))).toHaveLength(128);
  });
});
