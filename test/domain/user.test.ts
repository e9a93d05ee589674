import { expect, test } from 'vitest';
import { assertRight, rights, roles, type Right, type Role, type User } from '../../src/domain/user.js';

const user = (given: readonly Role[], disabledUs: number | null = null): User => ({
  id: 'u',
  name: 'n',
  roles: given,
  disabledUs,
});
const may = (who: User, right: Right): boolean => {
  try {
    assertRight(who, right);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: 'forbidden' });
    return false;
  }
};

/** Written down a second time on purpose: a right that is widened has to be widened here as well. */
const matrix: Record<Right, string> = {
  'request.create': 'security',
  'request.read': 'security legal auditor',
  'request.prepare': 'security legal',
  'request.review': 'legal',
  'request.decide': 'legal',
  'request.package': 'security legal',
  'request.close': 'security legal',
  'hold.place': 'security legal',
  'hold.approve': 'legal',
  'hold.prolong': 'legal',
  'hold.notify': 'security legal',
  'hold.lift': 'legal',
  'hold.ground': 'legal',
  'hold.read': 'security legal admin auditor',
  'camera.read': 'security legal admin auditor',
  'footage.read': 'security legal',
  'retention.confirm': 'security legal admin',
  'policy.propose': 'admin',
  'policy.confirm': 'legal admin',
  'camera.audio': 'legal',
  'task.close': 'admin legal',
  'report.read': 'legal admin auditor',
  'report.make': 'legal admin',
  'audit.read': 'legal auditor',
};

test.each(Object.keys(rights) as Right[])('%s', (right) => {
  for (const role of roles) expect(may(user([role]), right), role).toBe(matrix[right].split(' ').includes(role));
  expect(may(user([...roles]), right)).toBe(true);
  expect(may(user([]), right)).toBe(false);
  expect(may(user([...roles], 1), right)).toBe(false);
});

test('no single role can both ask and decide, and an administrator sees no footage', () => {
  for (const role of roles)
    expect(may(user([role]), 'request.create') && may(user([role]), 'request.decide')).toBe(false);
  expect(may(user(['admin']), 'footage.read')).toBe(false);
  expect(may(user(['admin']), 'request.read')).toBe(false);
});
