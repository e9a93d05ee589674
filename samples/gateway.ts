/** The gateway as its users meet it: commands with --json, and HTTP. The samples know it by nothing else. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** dist/main.js, seen from dist/samples. */
const main = fileURLToPath(new URL('../main.js', import.meta.url));

export interface Finished {
  readonly code: number;
  /** The one JSON document of stdout, or undefined where there was none. */
  readonly json: unknown;
  readonly stderr: string;
}

/** Runs one command with `--json` to its end; never throws for an exit code. */
export async function tredive(
  configFile: string | null,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Finished> {
  const config = configFile === null ? [] : ['--config', configFile];
  const child = spawn(process.execPath, [main, ...args, '--json', ...config], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const [code] = (await once(child, 'close')) as [number | null];
  let json: unknown;
  try {
    json = JSON.parse(stdout);
  } catch {
    // Whoever needed the document finds it missing, and shows stderr.
    json = undefined;
  }
  return { code: code ?? -1, json, stderr };
}

/** As `tredive`, for commands that must succeed. */
export async function mustRun<T>(
  configFile: string | null,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<T> {
  const { code, json, stderr } = await tredive(configFile, args, env);
  if (code !== 0 || json === undefined) throw new Error(`tredive ${args.join(' ')} ended with ${code}: ${stderr}`);
  return json as T;
}

export interface Serving {
  readonly url: string;
  readonly process: ChildProcess;
  /** SIGTERM, and the exit code. */
  stop(): Promise<number>;
}

/** Starts `tredive serve` and waits until it answers. Its log goes to `onLog`, line by line. */
export async function serve(configFile: string, url: string, onLog: (line: string) => void): Promise<Serving> {
  const child = spawn(process.execPath, [main, 'serve', '--config', configFile], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(child, 'exit') as Promise<[number | null]>;
  let rest = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLog(line);
  });
  const deadline = Date.now() + 30_000;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`tredive serve ended with ${child.exitCode}.`);
    try {
      if ((await fetch(`${url}/api/health`)).ok) break;
    } catch {
      // Not listening yet.
    }
    if (Date.now() > deadline) throw new Error(`tredive serve does not answer at ${url}.`);
    await new Promise((later) => setTimeout(later, 150));
  }
  return {
    url,
    process: child,
    stop: async () => {
      child.kill('SIGTERM');
      const [code] = await ended;
      return code ?? -1;
    },
  };
}

export interface Answer<T> {
  readonly status: number;
  readonly body: T;
}

/** Somebody who is logged in. */
export interface Person {
  call<T>(method: string, path: string, body?: unknown): Promise<Answer<T>>;
  download(path: string): Promise<Buffer>;
}

export async function logIn(url: string, name: string, password: string): Promise<Person> {
  const headers: Record<string, string> = { origin: url };
  const ask = (method: string, path: string, body?: unknown): Promise<Response> =>
    fetch(url + path, {
      method,
      headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  const answer = await ask('POST', '/api/session', { name, password });
  if (!answer.ok) throw new Error(`Login of ${name} was refused: ${await answer.text()}`);
  headers['cookie'] = answer.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';', 1)[0] ?? '')
    .join('; ');
  return {
    async call<T>(method: string, path: string, body?: unknown): Promise<Answer<T>> {
      const response = await ask(method, path, body);
      const text = await response.text();
      return { status: response.status, body: (text === '' ? null : JSON.parse(text)) as T };
    },
    async download(path) {
      const response = await ask('GET', path);
      if (!response.ok) throw new Error(`GET ${path} answered ${response.status}: ${await response.text()}`);
      return Buffer.from(await response.arrayBuffer());
    },
  };
}

/** Asks `look` until it gives something, or throws after `seconds`. */
export async function until<T>(what: string, seconds: number, look: () => Promise<T | null>): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (Date.now() > deadline) throw new Error(`Waited ${seconds} s in vain until ${what}.`);
    await new Promise((later) => setTimeout(later, 400));
  }
}
