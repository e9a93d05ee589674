/**
 * The process that prepares a request, with real footage and the real detector, is killed with SIGKILL while it makes the
 * masked copy, and between the copy and its plan. The next start leaves nothing of it, and preparing again succeeds.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { prepareRequest } from '../../src/disclosure/prepare.js';
import { cleanUpAfterCrash } from '../../src/disclosure/recovery.js';
import { createRequest } from '../../src/disclosure/request.js';
import { withOutput } from '../../src/redaction/output-claim.js';
import * as realRedactor from '../../src/redaction/redact.js';
import { derivedOfRequest } from '../../src/store/derived-files.js';
import { getRequest, itemsOf } from '../../src/store/requests.js';
import { runningOn } from '../helpers/children.js';
import { makeClip } from '../helpers/clip.js';
import { addCamera, addSegment, filesBelow, makeWorld, noonUs, scopeFor, seconds } from '../helpers/disclosure.js';
import { tempFolder, type TestStore } from '../helpers/site.js';

const dist = new URL('../../dist/', import.meta.url);
const child = fileURLToPath(new URL('./prepare-child.mjs', import.meta.url));
const hook = fileURLToPath(new URL('../fault/kill-at.mjs', import.meta.url));

type World = ReturnType<typeof makeWorld>;

async function worldWithFootage(): Promise<{ world: World; id: string }> {
  const world = makeWorld({ redactor: realRedactor });
  const clip = await makeClip(join(tempFolder(), 'clip.mp4'), { seconds: 2, fps: 10, size: '320x240' });
  addCamera(world, 'lobby');
  addSegment(world, 'lobby', noonUs, { clip });
  const { id } = createRequest(world.ctx, world.sofie, scopeFor()).request;
  return { world, id };
}

async function prepareKilledAt(
  moment: string,
  { ctx, root, databaseFile, dataDir, clock, privateKey }: World & TestStore,
  id: string,
): Promise<void> {
  const keyFile = join(tempFolder(), 'key.pem');
  writeFileSync(keyFile, privateKey.export({ format: 'pem', type: 'pkcs8' }));
  const job = { databaseFile, dataDir, root, nowUs: clock.us, keyFile, redaction: ctx.redaction, id };
  const process_ = spawn(process.execPath, ['--import', hook, child, dist.href, JSON.stringify(job)], {
    env: { ...process.env, KILL_AT: moment },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [, signal] = (await once(process_, 'close')) as [number | null, string | null];
  expect(signal).toBe('SIGKILL');
  for (let waited = 0; waited < 400 && runningOn(dataDir).length > 0; waited += 1) await sleep(25);
  expect(runningOn(dataDir)).toEqual([]);
}

const moments: [string, RegExp][] = [
  ['after open partial', /\.mp4\.partial$/],
  ['grows 1000', /\.mp4\.growing\.partial$/],
  ['after sync partial', /\.mp4\.partial$/],
  ['after rename partial', /REDACTED-COPY_.*\.mp4$/],
  ['after sync plan', /\.json\.partial$/],
  ['after rename plan', /\.json$/],
];

test.each(moments)('killed %s', { timeout: 120_000 }, async (moment, leaves) => {
  const { world, id } = await worldWithFootage();
  await prepareKilledAt(moment, world, id);
  const { db } = world.store;
  expect(getRequest(db, id).state).toBe('preparing');
  expect(filesBelow(world, 'requests').filter((name) => leaves.test(name))).toHaveLength(1);

  world.clock.us += seconds(31);
  await cleanUpAfterCrash(world.ctx);
  expect(getRequest(db, id).state).toBe('preparation-failed');
  expect(filesBelow(world, 'requests')).toEqual([]);
  expect(derivedOfRequest(db, id)).toEqual([]);

  expect((await prepareRequest(world.ctx, world.sofie, id)).state).toBe('prepared');
  const [item] = itemsOf(db, id);
  expect(item?.summary.frames).toBe(20);
  expect(filesBelow(world, 'requests').filter((name) => name.endsWith('.partial'))).toEqual([]);
  expect(filesBelow(world, 'requests')).toHaveLength(3);
});

test('a copy that somebody else makes right now is not made twice, and the request says why', async () => {
  const { world, id } = await worldWithFootage();
  const ctx = {
    ...world.ctx,
    redactor: {
      ...realRedactor,
      redactPart: (...[job, part]: Parameters<typeof realRedactor.redactPart>) =>
        withOutput(job.output, () => realRedactor.redactPart(job, part)),
    },
  };
  await expect(prepareRequest(ctx, world.sofie, id)).rejects.toMatchObject({ code: 'conflict' });
  expect(getRequest(world.store.db, id)).toMatchObject({
    state: 'preparation-failed',
    failure: expect.stringMatching(/is being made by another run right now\. Wait until/) as string,
  });
  expect(filesBelow(world, 'requests')).toEqual([]);
});
