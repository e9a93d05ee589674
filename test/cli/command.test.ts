/** The command line as a process: what it prints where, and what it exits with. Runs the compiled program. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { makeClip } from '../helpers/clip.js';
import { tempFolder } from '../helpers/site.js';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function tredive(args: readonly string[], env: NodeJS.ProcessEnv = {}): Ended {
  const done = spawnSync(process.execPath, [main, ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
    timeout: 50_000,
  });
  return { code: done.status, stdout: done.stdout, stderr: done.stderr };
}

/** A site with one Frigate segment, old enough to be due, and its configuration. */
async function makeSite(): Promise<{ folder: string; config: string; segment: string }> {
  const folder = tempFolder();
  const segment = join(folder, 'recordings/2026-01-01/08/lobby/00.00.mp4');
  mkdirSync(dirname(segment), { recursive: true });
  await makeClip(segment, { seconds: 1 });
  const config = join(folder, 'gateway.yaml');
  writeFileSync(
    config,
    'site: { name: Test, timezone: UTC }\nroots: [{ id: nvr, path: ./recordings, layout: frigate }]\nrecordings: { quietSeconds: 0.2 }\n',
  );
  return { folder, config, segment };
}

describe('the command line', () => {
  it.each([
    ['no such command', ['frobnicate']],
    ['an unknown option', ['scan', '--fast']],
    ['a missing argument', ['verify']],
    ['--at with --apply', ['retain', '--apply', '--at', '2026-01-01T00:00:00Z']],
    ['a time without a zone', ['retain', '--at', '2026-01-01 00:00']],
    ['a style that there is not', ['redact', main, '/tmp/never.mp4', '--style', 'blur']],
    ['a configuration that is not there', ['scan', '--config', '/nowhere.yaml']],
  ])('%s ends with 2, and says what to do on stderr', (_what, args) => {
    const { code, stderr } = tredive(args);
    expect(code).toBe(2);
    expect(stderr).not.toBe('');
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it('shows how to announce segments, with the same secret each time, which nobody else can read', async () => {
    const { folder, config } = await makeSite();
    const first = JSON.parse(tredive(['hook', '--config', config, '--json']).stdout) as Record<string, string>;
    const { url = '', token = '', mediamtx = '', frigate = '' } = first;
    expect(url).toBe('http://127.0.0.1:8731/api/hook/segments');
    expect(token).toMatch(/^[\w-]{64}$/);
    for (const line of [mediamtx, frigate]) expect(line).toContain(token);
    expect(mediamtx).toMatch(/^runOnRecordSegmentComplete: .*"path=\$MTX_SEGMENT_PATH"/s);
    expect(statSync(join(folder, 'data/keys/hook-token')).mode & 0o777).toBe(0o600);
    expect(tredive(['hook', '--config', config]).stdout).toContain(`token    ${token}\n`);
    writeFileSync(config, `${readFileSync(config, 'utf8')}hook: { port: 0 }\n`);
    const off = tredive(['hook', '--config', config]);
    expect([off.code, off.stderr]).toEqual([1, expect.stringMatching(/hook\.port/)]);
  });

  it('prints one JSON document on stdout, also for a failure', () => {
    const { code, stdout } = tredive(['verify', '/nowhere', '--json']);
    expect([1, 3]).toContain(code);
    expect(JSON.parse(stdout)).toBeTypeOf('object');
  });

  it('says what is oldest on disk by walking it, and exits 3 for what is too old', async () => {
    const { config } = await makeSite();
    const run = (code: number, ...args: string[]): unknown => {
      const ended = tredive([...args, '--config', config, '--json']);
      expect(ended.code, ended.stderr).toBe(code);
      return JSON.parse(ended.stdout);
    };
    run(0, 'scan');
    expect(run(3, 'oldest')).toMatchObject({ ok: false, findings: [{ what: 'over-limit', cameraId: 'lobby' }] });
    run(0, 'retain', '--apply');
    expect(run(0, 'oldest', '--keep')).toMatchObject({
      ok: true,
      cameras: [{ cameraId: 'lobby', files: 0, oldest: null, lateness: { unlinked: 1, misses: 1 } }],
    });
  });

  it('scans, plans, deletes, checks and verifies a site, each with its keys', async () => {
    const { config, segment } = await makeSite();
    const run = (...args: string[]): Record<string, unknown> => {
      const { code, stdout } = tredive([...args, '--config', config, '--json']);
      expect(code, args.join(' ')).toBe(0);
      return JSON.parse(stdout) as Record<string, unknown>;
    };
    expect(run('scan')).toMatchObject({ segments: 1, added: 1, unchanged: 0, quarantined: [], missing: 0 });
    expect(run('retain')).toMatchObject({ due: 1, deleted: 0, held: 0, failed: [], late: 1, refused: null });
    expect(existsSync(segment)).toBe(true);
    expect(run('retain', '--apply')).toMatchObject({ due: 1, deleted: 1, held: 0, failed: [], late: 1, refused: null });
    expect(existsSync(segment)).toBe(false);
    expect(run('check')).toEqual({ ok: true, problems: [] });
    expect(run('audit', 'verify')).toMatchObject({ ok: true, problems: [] });
    expect(run('user', 'add', 'alice', '--role', 'security')).toMatchObject({ name: 'alice', roles: ['security'] });
    expect(run('task', 'list')['tasks']).toBeInstanceOf(Array);
  });

  it('keeps back far more than usual until two persons have said yes with their own passwords', async () => {
    const { folder, config, segment } = await makeSite();
    writeFileSync(config, `${readFileSync(config, 'utf8')}retention: { brakeHours: 0.5 }\n`);
    const clip = await makeClip(join(folder, 'long.mp4'), { seconds: 1200, fps: 1 });
    for (const minute of ['10', '30']) copyFileSync(clip, join(dirname(segment), `${minute}.00.mp4`));
    const run = (args: string[], password?: string): [number | null, Record<string, unknown>] => {
      const env = password === undefined ? {} : { TREDIVE_PASSWORD: password };
      const { code, stdout } = tredive([...args, '--config', config, '--json'], env);
      return [code, JSON.parse(stdout) as Record<string, unknown>];
    };
    run(['scan']);
    for (const [name, role] of [
      ['anna', 'admin'],
      ['bo', 'legal'],
    ] as const) {
      run(['user', 'add', name, '--role', role], `password of ${name}`);
    }
    const [code, result] = run(['retain', '--apply']);
    // The archive ends months ago: nothing bears the clock out, so that it is no first sweep for one person.
    expect([code, result['deleted'], existsSync(segment)]).toEqual([1, 0, true]);
    const { id } = result['waiting'] as { id: string };
    expect(result['refused']).toContain(`tredive retain --confirm ${id} --user NAME`);
    const confirm = ['retain', '--confirm', id, '--user'];
    expect(run([...confirm, 'bo'], 'a wrong password')[0]).toBe(1);
    expect(run([...confirm, 'bo'], 'password of bo')).toMatchObject([0, { confirmed: id, complete: false }]);
    expect(run([...confirm, 'bo'], 'password of bo')).toMatchObject([1, { error: { code: 'same-person' } }]);
    expect(run(['retain', '--apply'])).toMatchObject([1, { deleted: 0, waiting: { id } }]);
    expect(run([...confirm, 'anna'], 'password of anna')).toMatchObject([0, { complete: true }]);
    expect(run(['retain', '--apply'])).toMatchObject([0, { deleted: 3, refused: null, waiting: null }]);
    expect(existsSync(segment)).toBe(false);
    expect(run(['audit', 'verify'])).toMatchObject([0, { ok: true }]);
  });

  it('lists layouts, proposes one for a root, and starts nothing on auto', async () => {
    const { folder, config } = await makeSite();
    const root = join(folder, 'recordings');
    const list = JSON.parse(tredive(['layouts', '--json']).stdout) as { layouts: { name: string; example: string }[] };
    expect(list.layouts.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['frigate', 'zoneminder', 'blue-iris']),
    );
    const proposed = tredive(['layouts', root, '--json']);
    expect(proposed.code).toBe(0);
    expect(JSON.parse(proposed.stdout)).toMatchObject({ layout: 'frigate', line: 'layout: frigate', recordings: 1 });
    expect(tredive(['layouts', root]).stdout).toMatch(/^layout: frigate\n {2}Looked at 1 files/);
    expect(tredive(['layouts', folder, '--timezone', 'Mars/Olympus']).code).toBe(2);
    expect(tredive(['layouts', join(folder, 'nowhere')]).code).toBe(3);
    writeFileSync(config, readFileSync(config, 'utf8').replace('layout: frigate', 'layout: auto'));
    const scan = tredive(['scan', '--config', config]);
    expect([scan.code, scan.stdout]).toEqual([2, '']);
    expect(scan.stderr).toContain('"auto" only proposes: if this is right, write "layout: frigate"');
    expect(existsSync(join(folder, 'data'))).toBe(false);
  });

  it('lets nobody in without the right password, and nobody be security and legal', async () => {
    const { config } = await makeSite();
    expect(tredive(['user', 'add', 'eve', '--role', 'security,legal', '--config', config]).code).toBe(2);
    tredive(['user', 'add', 'bo', '--role', 'legal', '--config', config], { TREDIVE_PASSWORD: 'the right password' });
    const wrong = tredive(['task', 'done', '1', '--user', 'bo', '--config', config], {
      TREDIVE_PASSWORD: 'a wrong password',
    });
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toMatch(/Name or password is wrong/);
  });

  it('ends with 3 where a verification found something', async () => {
    const { config, folder } = await makeSite();
    tredive(['scan', '--config', config]);
    writeFileSync(join(folder, 'data', 'checkpoint.txt'), 'not a checkpoint\n');
    const { code, stdout } = tredive(['audit', 'verify', '--config', config, '--json']);
    expect(code).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({ ok: false });
  });

  it('masks as the files of decisions and zones say, and refuses what they cannot mean', async () => {
    const folder = tempFolder();
    const input = await makeClip(join(folder, 'in.mp4'), { seconds: 1, size: '320x240' });
    const file = (name: string, content: unknown): string => {
      writeFileSync(join(folder, name), JSON.stringify(content));
      return join(folder, name);
    };
    const output = join(folder, 'out.mp4');
    const report = join(folder, 'report.json');
    const zone = { name: 'window', x: 0.5, y: 0, w: 0.25, h: 0.5 };
    const keep = file('keep.json', {
      mode: 'whole-frame',
      drawn: [{ fromFrame: 0, toFrame: 10, box: { x: 0, y: 0, w: 20, h: 20 }, toBox: { x: 9, y: 9, w: 20, h: 20 } }],
    });
    const zones = file('zones.json', [zone]);
    const done = tredive(['redact', input, output, '--keep', keep, '--zones', zones, '--report', report, '--json']);
    expect(done.code).toBe(0);
    expect(JSON.parse(done.stdout)).toMatchObject({ frames: 10, overlaps: [] });
    expect(JSON.parse(readFileSync(report, 'utf8'))).toMatchObject({
      version: 2,
      zones: [{ ...zone, kind: 'always-mask' }],
    });
    const never = join(folder, 'never.mp4');
    for (const [option, path, message] of [
      ['--keep', file('mode.json', { mode: 'nobody' }), /whole-frame[^]*mode/],
      ['--keep', file('track.json', { keepVisible: [{ trackId: 99 }] }), /no track 99/],
      ['--keep', file('frames.json', { keepVisible: [], drawn: [{ fromFrame: 5 }] }), /drawn\[0\]/],
      ['--zones', file('beyond.json', [{ ...zone, w: 0.6 }]), /must lie in the picture/],
      ['--zones', file('no-list.json', zone), /expected array/],
      ['--zones', join(folder, 'nowhere.json'), /nowhere\.json/],
    ] as const) {
      const refused = tredive(['redact', input, never, option, path]);
      expect([option, refused.code === 0]).toEqual([option, false]);
      expect(refused.stderr).toMatch(message);
    }
    expect(existsSync(never)).toBe(false);
  });

  it('redacts a file, refuses to overwrite, and leaves nothing behind for what is no video', async () => {
    const folder = tempFolder();
    const input = await makeClip(join(folder, 'in.mp4'), { seconds: 1, size: '320x240' });
    const output = join(folder, 'out.mp4');
    const report = join(folder, 'report.json');
    const done = tredive(['redact', input, output, '--report', report, '--json']);
    expect(done.code).toBe(0);
    expect(JSON.parse(done.stdout)).toMatchObject({
      frames: 10,
      fps: 10,
      detector: expect.stringMatching(/centernet/i) as string,
    });
    expect(existsSync(report)).toBe(true);
    expect(tredive(['redact', input, output]).stderr).toMatch(/is there already/);
    const nowhere = tredive([
      'redact',
      input,
      join(folder, 'never.mp4'),
      '--report',
      join(folder, 'no', 'report.json'),
    ]);
    expect(nowhere.code).toBe(1);
    expect(nowhere.stderr).toMatch(/There is no folder/);
    const text = join(folder, 'text.mp4');
    writeFileSync(text, 'this is no video');
    expect(tredive(['redact', text, join(folder, 'never.mp4')]).code).toBe(1);
    expect(existsSync(join(folder, 'never.mp4'))).toBe(false);
  });
});
