/** How a recorder on this machine tells that a segment is closed. */
import type { Command } from 'commander';
import { loadConfig } from '../config.js';
import { GatewayError } from '../errors.js';
import { readOrMakeSecret } from '../platform/secret.js';
import { define } from './command.js';

export const hookSecret = 'hook-token';
/** Never another one: who calls here is trusted for being on this machine. */
export const hookHosts = ['127.0.0.1', '::1'] as const;

export function hook(program: Command): void {
  define(
    program
      .command('hook')
      .description('how a recorder on this machine announces closed segments: address, token, lines to copy'),
    async ({ options }) => {
      const config = loadConfig(options.config);
      if (config.hook.port === 0) {
        throw new GatewayError('conflict', 'The hook is turned off.', {
          remedy: 'Set hook.port in the configuration.',
        });
      }
      const token = await readOrMakeSecret(config.data, hookSecret);
      const url = `http://127.0.0.1:${config.hook.port}/api/hook/segments`;
      // MediaMTX splits it into words as a shell does, and puts the variables in afterwards: a path stays one word.
      const curl = `curl -sS --max-time 10 --retry 5 --retry-connrefused -H 'Authorization: Bearer ${token}'`;
      const mediamtx = `runOnRecordSegmentComplete: >-\n  ${curl} --data-urlencode "path=$MTX_SEGMENT_PATH" --data-urlencode "duration=$MTX_SEGMENT_DURATION" ${url}`;
      const frigate = `mosquitto_sub -h MQTT_HOST -t frigate/events | while IFS= read -r event; do\n  printf %s "$event" | ${curl} -H 'Content-Type: application/json' --data-binary @- ${url}; done`;
      return {
        json: { url, token, mediamtx, frigate },
        text: [
          `address  ${url}`,
          `token    ${token}`,
          '',
          'MediaMTX, under "pathDefaults:" of mediamtx.yml (indented like the other keys there):',
          '',
          mediamtx,
          '',
          'Frigate announces no files; its events make the gateway look into the folders of that camera at once:',
          '',
          frigate,
          '',
          'Any other recorder: POST {"path": "..."} as JSON with that token. The token is in the data folder under keys; whoever has',
          'it can have a file below a root indexed, and nothing else. Remove it there and restart the gateway to have another one.',
        ].join('\n'),
      };
    },
  );
}
