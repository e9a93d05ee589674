import { expect, test } from 'vitest';
import fc from 'fast-check';
import { cameraIdOf } from '../../../src/recordings/layouts/index.js';

test.each(['lobby', 'Lobby', 'back_yard', 'cam-12345678', '000012', 'gate.2'])(
  'a plain name is its own id: %s',
  (name) => {
    expect(cameraIdOf(name)).toBe(name);
  },
);

// These stand in configurations and in evidence: a change here is a change of every such camera's id.
test.each([
  ['site/Camera 1', 'site-camera-1~4f4306db97'],
  ['Tør Æble på Åen', 'tor-aeble-paa-aaen~485e825919'],
  ['入口', 'camera~1a79302720'],
  ['..', 'camera~5ec1f7e700'],
])('%s is %s', (name, id) => {
  expect(cameraIdOf(name)).toBe(id);
});

test('names that look alike stay apart', () => {
  const names = ['Bücherei'.normalize('NFC'), 'Bücherei'.normalize('NFD'), 'bucherei', 'a b', 'a-b', 'a/b', 'A B', ''];
  expect(new Set(names.map(cameraIdOf)).size).toBe(names.length);
});

test('any two names have two ids, and an id is fit for a URL and a file name', () => {
  const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 80 });
  fc.assert(
    fc.property(name, name, (a, b) => {
      expect(cameraIdOf(a)).toMatch(/^[A-Za-z0-9][A-Za-z0-9._~-]{0,63}$/);
      if (a !== b) expect(cameraIdOf(a)).not.toBe(cameraIdOf(b));
    }),
  );
});
