/** The raw answers of three third-party ONVIF servers, where TREDIVE_FOOTAGE says they are. */
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

const footage = process.env['TREDIVE_FOOTAGE'];
const folder = footage === undefined ? undefined : join(footage, 'onvif-captures');
export const haveCaptures = folder !== undefined && existsSync(folder);
if (!haveCaptures)
  console.warn('SKIPPED: the ONVIF captures. Set TREDIVE_FOOTAGE to the folder that holds onvif-captures.');

export const peers = ['simple', 'node', 'gsoap'] as const;
export type Peer = (typeof peers)[number];

export function capture(name: string): Buffer {
  return readFileSync(join(folder ?? '', name));
}

/**
 * Serves one peer's captured answers by operation; what was not captured is a 404, as it is on a camera. Only the port
 * the peer had for HTTP becomes ours.
 */
export async function startReplay(
  peer: Peer,
  variant: (operation: string) => string = (operation) => operation,
): Promise<{ address: string; server: Server }> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const operation = /<s:Body[^>]*>\s*<(\w+)/.exec(Buffer.concat(chunks).toString())?.[1] ?? '';
      const file = join(folder ?? '', `${peer}-${variant(operation)}.txt`);
      if (!existsSync(file)) return response.writeHead(404).end();
      const raw = readFileSync(file);
      const firstLine = raw.subarray(0, raw.indexOf('\n')).toString();
      const [, status = '', type = ''] = /^HTTP (\d+) (.*?)\r?$/.exec(firstLine) ?? [];
      const { port } = server.address() as AddressInfo;
      const body = raw.subarray(raw.indexOf('\n') + 1).toString();
      return response
        .writeHead(Number(status), { 'Content-Type': type })
        .end(body.replace(/127\.0\.0\.1:808[012]/g, `127.0.0.1:${port}`));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/onvif/device_service`, server };
}
