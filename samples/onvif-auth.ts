/** The two ways ONVIF clients prove who they are: HTTP digest (RFC 7616) and WS-UsernameToken with password digest. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

export type Verdict = 'accepted' | 'refused' | 'absent';

export interface Authenticator {
  /** One WWW-Authenticate value per algorithm, with a fresh nonce. */
  challenges: () => string[];
  httpDigest: (authorization: string | undefined, method: string, uri: string) => Verdict;
  usernameToken: (soap: string, deviceNowMs: number) => Verdict;
}

const nonceLivesMs = 60_000;
/** How far the Created of a token may be from the device's own clock. */
const tokenWindowMs = 10_000;

export function createAuthenticator(user: string, password: string, realm: string): Authenticator {
  /** Nonce to the time it was given out and the highest request counter seen with it. */
  const nonces = new Map<string, { sinceMs: number; count: number }>();
  const seenTokens = new Map<string, number>();

  return {
    challenges: () => {
      forget(nonces, ({ sinceMs }) => sinceMs, nonceLivesMs);
      const nonce = randomBytes(16).toString('hex');
      nonces.set(nonce, { sinceMs: Date.now(), count: 0 });
      return ['MD5', 'SHA-256'].map(
        (algorithm) => `Digest realm="${realm}", qop="auth", nonce="${nonce}", algorithm=${algorithm}`,
      );
    },

    httpDigest: (authorization, method, uri) => {
      if (authorization === undefined) return 'absent';
      const said = new Map<string, string>();
      for (const [, key = '', quoted, bare] of authorization.matchAll(/(\w+)=(?:"([^"]*)"|([^\s,"]+))/g)) {
        said.set(key.toLowerCase(), quoted ?? bare ?? '');
      }
      const part = (key: string): string => said.get(key) ?? '';
      const hashName = { '': 'md5', MD5: 'md5', 'SHA-256': 'sha256' }[part('algorithm')];
      const given = nonces.get(part('nonce'));
      const count = Number.parseInt(part('nc'), 16);
      if (hashName === undefined || given === undefined || Date.now() - given.sinceMs > nonceLivesMs) return 'refused';
      // A counter that does not grow is a replay.
      if (!(count > given.count) || part('uri') !== uri || part('username') !== user) return 'refused';
      const hash = (...parts: string[]): string => createHash(hashName).update(parts.join(':')).digest('hex');
      const ha1 = hash(user, realm, password);
      const ha2 = hash(method, uri);
      const expected = hash(ha1, part('nonce'), part('nc'), part('cnonce'), part('qop'), ha2);
      if (!same(expected, part('response'))) return 'refused';
      given.count = count;
      return 'accepted';
    },

    usernameToken: (soap, deviceNowMs) => {
      const token = /<(?:\w+:)?UsernameToken[\s>]([\s\S]*?)<\/(?:\w+:)?UsernameToken>/.exec(soap)?.[1];
      if (token === undefined) return 'absent';
      const part = (name: string): string =>
        new RegExp(`<(?:\\w+:)?${name}(?: [^>]*)?>([^<]*)<`).exec(token)?.[1] ?? '';
      const [name, digest, nonce, created] = ['Username', 'Password', 'Nonce', 'Created'].map(part);
      if (name !== user || digest === undefined || nonce === undefined || created === undefined) return 'refused';
      if (!(Math.abs(Date.parse(created) - deviceNowMs) <= tokenWindowMs)) return 'refused';
      forget(seenTokens, (sinceMs) => sinceMs, 2 * tokenWindowMs);
      if (nonce === '' || seenTokens.has(nonce)) return 'refused';
      const hash = createHash('sha1').update(Buffer.from(nonce, 'base64')).update(created).update(password, 'utf8');
      if (!same(hash.digest('base64'), digest)) return 'refused';
      seenTokens.set(nonce, Date.now());
      return 'accepted';
    },
  };
}

function same(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

function forget<T>(entries: Map<string, T>, sinceMs: (entry: T) => number, afterMs: number): void {
  for (const [key, entry] of entries) if (Date.now() - sinceMs(entry) > afterMs) entries.delete(key);
}
