/** Tables `user` and `session`. Names of staff live here and nowhere else. */
import type { Role, User } from '../domain/user.js';
import type { Database } from './database.js';

interface Raw {
  id: string;
  name: string;
  roles: string;
  passwordHash: string;
  disabledUs: number | null;
}

const select = 'SELECT id, name, roles, password_hash AS passwordHash, disabled_us AS disabledUs FROM user';

export interface UserRow extends User {
  readonly passwordHash: string;
}

const fromRaw = (raw: Raw): UserRow => ({ ...raw, roles: JSON.parse(raw.roles) as Role[] });

export function insertUser(db: Database, user: UserRow & { readonly createdUs: number }): void {
  db.prepare(
    'INSERT INTO user (id, name, roles, password_hash, created_us) VALUES (@id, @name, @roles, @passwordHash, @createdUs)',
  ).run({
    id: user.id,
    name: user.name,
    roles: JSON.stringify(user.roles),
    passwordHash: user.passwordHash,
    createdUs: user.createdUs,
  });
}

export const findUserByName = (db: Database, name: string): UserRow | null => {
  const raw = db.prepare(`${select} WHERE name = ?`).get(name) as Raw | undefined;
  return raw === undefined ? null : fromRaw(raw);
};

export const findUser = (db: Database, id: string): UserRow | null => {
  const raw = db.prepare(`${select} WHERE id = ?`).get(id) as Raw | undefined;
  return raw === undefined ? null : fromRaw(raw);
};

export const listUsers = (db: Database): UserRow[] =>
  (db.prepare(`${select} ORDER BY name`).all() as Raw[]).map(fromRaw);

export function disableUser(db: Database, id: string, atUs: number): void {
  db.prepare('UPDATE user SET disabled_us = ? WHERE id = ?').run(atUs, id);
  db.prepare('DELETE FROM session WHERE user_id = ?').run(id);
}

export function putSession(
  db: Database,
  session: {
    readonly idHash: string;
    readonly userId: string | null;
    readonly data: string;
    readonly expiresUs: number;
  },
): void {
  db.prepare(
    `INSERT INTO session (id_hash, user_id, data, expires_us) VALUES (@idHash, @userId, @data, @expiresUs)
     ON CONFLICT (id_hash) DO UPDATE SET user_id = excluded.user_id, data = excluded.data, expires_us = excluded.expires_us`,
  ).run(session);
}

export const getSession = (db: Database, idHash: string, nowUs: number): string | null =>
  (db.prepare('SELECT data FROM session WHERE id_hash = ? AND expires_us > ?').pluck().get(idHash, nowUs) as
    string | undefined) ?? null;

export function removeSession(db: Database, idHash: string): void {
  db.prepare('DELETE FROM session WHERE id_hash = ?').run(idHash);
}

export function removeExpiredSessions(db: Database, nowUs: number): void {
  db.prepare('DELETE FROM session WHERE expires_us <= ?').run(nowUs);
}
