import { describe, expect, test } from 'vitest';
import { generateKeyPairSync } from 'node:crypto';
import { GatewayError } from '../../src/errors.js';
import { countEvents, makeStore, readCheckpoints } from '../../src/store/audit-log.js';
import { openTask, openTasks } from '../../src/store/tasks.js';
import { addCamera, june, makeTestStore, origin, type TestStore } from '../helpers/store.js';

const add = ({ db }: TestStore): void => {
  openTask(db, { kind: 'k', subject: 's', detail: 'd', createdUs: june });
};

describe('act', () => {
  test('is one with its event: both, or neither', () => {
    const made = makeTestStore();
    const before = countEvents(made.db);
    made.store.act('gateway', (note) => {
      add(made);
      note('config.applied', 'gateway', {});
    });
    expect(openTasks(made.db)).toHaveLength(1);
    expect(countEvents(made.db)).toBe(before + 1);
    expect(() =>
      made.store.act('gateway', (note) => {
        note('config.applied', 'gateway', {});
        made.db.exec('DELETE FROM task');
        throw new GatewayError('conflict', 'no');
      }),
    ).toThrow('no');
    expect(openTasks(made.db)).toHaveLength(1);
    expect(countEvents(made.db)).toBe(before + 1);
    expect(made.verify().problems).toEqual([]);
  });

  test('without an event is refused and undone', () => {
    const made = makeTestStore();
    expect(() => {
      made.store.act('gateway', () => {
        add(made);
      });
    }).toThrow('without an audit event');
    expect(openTasks(made.db)).toEqual([]);
  });

  test.each([
    ['audit_event', 'audit_event'],
    ['audit_checkpoint', 'audit_checkpoint'],
    ['audit_frontier', 'audit_frontier'],
  ])('where the log cannot take it in (%s), the act does not happen', (_name, table) => {
    const made = makeTestStore();
    made.db.exec(`CREATE TEMP TRIGGER fail BEFORE INSERT ON ${table} BEGIN SELECT RAISE(ABORT, 'disk says no'); END`);
    const heard: string[] = [];
    made.store.onCheckpoint((note) => heard.push(note));
    expect(() => {
      made.store.act('gateway', (note) => {
        add(made);
        note('config.applied', 'gateway', {});
      });
    }).toThrow(expect.objectContaining({ code: 'audit-unwritable' }) as Error);
    expect(openTasks(made.db)).toEqual([]);
    expect(heard).toEqual([]);
    made.db.exec('DROP TRIGGER fail');
    expect(made.verify().problems).toEqual([]);
  });

  test('an event that JSON cannot express stops the act too', () => {
    const made = makeTestStore();
    expect(() => {
      made.store.act('gateway', (note) => {
        add(made);
        note('config.applied', 'gateway', { bad: Number.NaN });
      });
    }).toThrow(expect.objectContaining({ code: 'audit-unwritable' }) as Error);
    expect(openTasks(made.db)).toEqual([]);
  });

  test('several events of one act share a checkpoint; the next is signed over all of them', () => {
    const made = makeTestStore();
    const heard: string[] = [];
    made.store.onCheckpoint((note) => heard.push(note));
    made.store.act('user:u1', (note) => {
      note('config.applied', 'a', {});
      note('config.applied', 'b', {});
    });
    const checkpoints = readCheckpoints(made.db);
    expect(checkpoints.map(({ size }) => size)).toEqual([1, 3]);
    expect(heard).toEqual([checkpoints[1]?.note]);
  });

  test('gives what the work gives', () => {
    const made = makeTestStore();
    const result = made.store.act('gateway', (note) => {
      note('config.applied', 'gateway', {});
      return 42;
    });
    expect(result).toBe(42);
  });
});

test('the log is append-only for whoever has the database open', () => {
  const made = makeTestStore();
  addCamera(made, 'lobby');
  for (const sql of [
    `UPDATE audit_event SET subject = 'x'`,
    `UPDATE audit_event SET entry = '{}' WHERE seq = 0`,
    'DELETE FROM audit_event',
    'DELETE FROM audit_event WHERE seq = 1',
    `UPDATE audit_checkpoint SET note = 'x'`,
    'DELETE FROM audit_checkpoint',
    `REPLACE INTO audit_event (seq, entry, leaf_hash, subject) VALUES (0, '{}', zeroblob(32), 'x')`,
    `INSERT OR REPLACE INTO audit_checkpoint (size, note, at_us) VALUES (1, 'x', 0)`,
  ]) {
    expect(() => made.db.exec(sql), sql).toThrow();
  }
  expect(made.verify().problems).toEqual([]);
});

test('a log continued with another key is noticed', () => {
  const made = makeTestStore();
  const stranger = makeStore(made.db, made.clock, { origin, privateKey: generateKeyPairSync('ed25519').privateKey });
  stranger.act('gateway', (note) => {
    note('gateway.started', 'gateway', {});
  });
  expect(made.verify().problems.join()).toContain('signed by another key');
});
