/** What the session rests on: internals of the onvif package, and that credentials go to nobody else. */
import { generateKeyPairSync, sign } from 'node:crypto';
import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Cam } from 'onvif';
import { afterEach, describe, expect, it } from 'vitest';
import { readCamera } from '../../src/cameras/onvif.js';

const credentials = { user: 'operatør', password: 'hemmelig' };
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});
async function listen(server: Server, host = '127.0.0.1'): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return (server.address() as AddressInfo).port;
}
const soap = (body: string) => `<s:Envelope><s:Body>${body}</s:Body></s:Envelope>`;

/** A certificate like the one cameras make for themselves, written as DER by hand: no tool for it need be installed. */
function selfSigned(commonName: string): { key: string; cert: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const der = (tag: number, ...parts: Buffer[]): Buffer => {
    const body = Buffer.concat(parts);
    const length = body.length < 128 ? [body.length] : [0x82, body.length >> 8, body.length & 0xff];
    return Buffer.concat([Buffer.from([tag, ...length]), body]);
  };
  const ecdsaWithSha256 = der(0x30, Buffer.from('06082a8648ce3d040302', 'hex'));
  const name = der(0x30, der(0x31, der(0x30, Buffer.from('0603550403', 'hex'), der(0x0c, Buffer.from(commonName)))));
  const validity = der(0x30, der(0x17, Buffer.from('200101000000Z')), der(0x17, Buffer.from('491231000000Z')));
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const body = der(0x30, der(0x02, Buffer.from([1])), ecdsaWithSha256, name, validity, name, spki);
  const signature = der(0x03, Buffer.from([0]), sign('sha256', body, privateKey));
  const base64 = der(0x30, body, ecdsaWithSha256, signature).toString('base64');
  const cert = `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
  return { key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), cert };
}

describe('the onvif package', () => {
  it('still sends every question through the function we replace, and dates tokens by the one we replace', async () => {
    const cam = new Cam({ hostname: '127.0.0.1', username: 'u', password: 'p', autoconnect: false });
    const sent: { service?: string; action: string; body: string }[] = [];
    Object.assign(cam, {
      _requestPart2: (request: (typeof sent)[number], callback: (error: Error) => void) => {
        sent.push(request);
        callback(new Error('stop'));
      },
      _passwordDigest: () => ({ passdigest: 'D', nonce: 'N', timestamp: 'T' }),
    });
    const asked = [
      'getSystemDateAndTime',
      'getDeviceInformation',
      'getServices',
      'getCapabilities',
      'getNetworkInterfaces',
      'getProfiles',
    ] as const;
    for (const name of asked) {
      await new Promise<void>((resolve) => {
        cam[name](() => {
          resolve();
        });
      });
    }
    expect(sent.map(({ action }) => action.replace(/^.*\//, '').toLowerCase())).toEqual(
      asked.map((name) => name.toLowerCase()),
    );
    expect(sent[0]?.body).not.toContain('UsernameToken');
    for (const { body } of sent.slice(1)) expect(body).toContain('<UsernameToken>');
    expect(sent[1]?.body).toContain('>T</Created>');
  });
});

describe('credentials', () => {
  it('go only to the host that was named, whatever services the device announces elsewhere', async () => {
    const elsewhere: string[] = [];
    const trapPort = await listen(
      createHttpServer((request, response) => {
        elsewhere.push(request.url ?? '');
        response.end();
      }),
      '127.0.0.2',
    );
    const here: string[] = [];
    const port = await listen(
      createHttpServer((request, response) => {
        here.push(request.url ?? '');
        response.end(
          soap(
            `<GetServicesResponse><Service><Namespace>http://www.onvif.org/ver10/media/wsdl</Namespace><XAddr>http://127.0.0.2:${trapPort}/media</XAddr></Service></GetServicesResponse>` +
              '<GetDeviceInformationResponse><SerialNumber>REAL-1</SerialNumber></GetDeviceInformationResponse>',
          ),
        );
      }),
    );
    const facts = await readCamera(`127.0.0.1:${port}`, { credentials });
    expect(facts.serial).toBe('REAL-1');
    expect(here).toContain('/media');
    expect(elsewhere).toEqual([]);
  });

  it.each([
    ['HTTP Basic', 'Basic realm="x"', /clear text/],
    [
      'an unknown digest',
      'Digest realm="x", nonce="y", algorithm=ROT13',
      /only with credentials|refuses the credentials/,
    ],
    ['a broken challenge', 'Digest ,,,"', /form nobody understands/],
  ])('are not given to a camera that wants %s', async (_name, challenge, reason) => {
    const headers: (string | undefined)[] = [];
    const port = await listen(
      createHttpServer((request, response) => {
        headers.push(request.headers.authorization);
        response.writeHead(401, { 'WWW-Authenticate': challenge }).end();
      }),
    );
    const { problems } = await readCamera(`127.0.0.1:${port}`, { credentials });
    expect(problems.map(({ what }) => what).join()).toMatch(reason);
    expect(headers.filter((header) => header !== undefined)).toEqual([]);
  });

  it.each(['auth,auth-int', 'auth-int, auth', 'auth'])('are proven by a digest that knows qop="%s"', async (qop) => {
    const seen: string[] = [];
    const port = await listen(
      createHttpServer((request, response) => {
        const { authorization } = request.headers;
        if (authorization === undefined) {
          response.writeHead(401, { 'WWW-Authenticate': `digest realm="r", nonce="n", qop="${qop}"` }).end();
          return;
        }
        seen.push(Buffer.from(authorization, 'latin1').toString());
        response.end(
          soap('<GetDeviceInformationResponse><SerialNumber>REAL-2</SerialNumber></GetDeviceInformationResponse>'),
        );
      }),
    );
    expect((await readCamera(`127.0.0.1:${port}`, { credentials })).serial).toBe('REAL-2');
    expect(seen[0]).toMatch(
      /^Digest username="operatør",realm="r",nonce="n",uri="\/onvif\/device_service",qop=auth,nc=00000001,cnonce="/,
    );
  });
});

describe('cameras over TLS', () => {
  it('are trusted by the fingerprint in the configuration alone, and get no request before', async () => {
    const { key, cert } = selfSigned('camera');
    let requests = 0;
    const port = await listen(
      createTlsServer({ key, cert }, (_request, response) => {
        requests += 1;
        response.end(
          soap('<GetDeviceInformationResponse><SerialNumber>TLS-1</SerialNumber></GetDeviceInformationResponse>'),
        );
      }),
    );
    const address = `https://127.0.0.1:${port}/onvif/device_service`;
    const refused = await readCamera(address, { credentials });
    expect(refused.problems).toHaveLength(1);
    expect(requests).toBe(0);
    const tlsFingerprint =
      /fingerprint ((?:[\dA-F]{2}:){31}[\dA-F]{2})/.exec(refused.problems[0]?.remedy ?? '')?.[1] ?? '';
    const other = await readCamera(address, {
      credentials,
      tlsFingerprint: tlsFingerprint.startsWith('00')
        ? tlsFingerprint.replace('00', 'FF')
        : tlsFingerprint.replace(/^../, '00'),
    });
    expect(other.problems[0]?.what).toContain('another certificate');
    expect(requests).toBe(0);
    expect((await readCamera(address, { credentials, tlsFingerprint })).serial).toBe('TLS-1');
    const plain = await readCamera(`http://127.0.0.1:${port}/`, { credentials });
    expect(plain.problems[0]?.remedy).toMatch(/https:\/\/|address and port/);
  });
});
