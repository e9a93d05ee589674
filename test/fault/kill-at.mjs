// Loaded before a program (node --import): kills its process with SIGKILL at one named moment of making a masked copy. KILL_AT
// names it: "<before|after> <open|rename|rm|write|sync> <growing|partial|plan>", or "grows <bytes>" for when the file behind the
// encoder has so many. The calls are the program's own; only what lies between two of them is added.
import { statSync } from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';

const killAt = process.env.KILL_AT ?? '';
const promises = createRequire(import.meta.url)('node:fs/promises');
const die = () => process.kill(process.pid, 'SIGKILL');
const at = (moment) => {
  if (moment === killAt) die();
};

/** What a path is of; null for what is of no interest. */
function kindOf(path) {
  const text = String(path);
  if (text.includes('/originals/')) return null;
  if (text.endsWith('.mp4.growing.partial')) return 'growing';
  if (text.endsWith('.mp4.partial')) return 'partial';
  return text.endsWith('.json.partial') ? 'plan' : null;
}

const around =
  (name, kind, call) =>
  async (...args) => {
    at(`before ${name} ${kind}`);
    const result = await call(...args);
    at(`after ${name} ${kind}`);
    return result;
  };

for (const name of ['rename', 'rm', 'open']) {
  const real = promises[name];
  promises[name] = async (...args) => {
    const kind = kindOf(args[0]);
    if (kind === null) return real(...args);
    if (name === 'rm' && kind === 'growing') watchGrowth(String(args[0]));
    const result = await around(name, kind, real)(...args);
    if (name === 'open') for (const of of ['write', 'sync']) result[of] = around(of, kind, result[of].bind(result));
    return result;
  };
}
syncBuiltinESMExports();

/** Its old one is removed just before the encoder begins a new one. */
function watchGrowth(path) {
  const [word, bytes] = killAt.split(' ');
  if (word !== 'grows') return;
  setInterval(() => {
    if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) >= Number(bytes)) die();
  }, 1).unref();
}
