/** On what kind of file system a folder lies, as /proc/self/mountinfo tells. */
import { readFileSync, realpathSync } from 'node:fs';

/**
 * Types whose files are changed by other machines, or by a program beside the kernel, without the kernel of this one being told:
 * a watch on them waits for ever.
 */
const remote =
  /^(?:nfs4?|cifs|smb3|smbfs|ncpfs|afs|coda|ceph|lustre|glusterfs|gfs2|ocfs2|beegfs|9p|virtiofs|vboxsf|vmhgfs|prl_fs|davfs|drvfs|fuse|fuse\..+)$/;

const unescape = (field: string): string =>
  field.replace(/\\([0-7]{3})/g, (_all, digits: string) => String.fromCharCode(parseInt(digits, 8)));

/**
 * Type of the file system that `path` (absolute, without links) lies on, from the text of a mountinfo; null where it says nothing.
 * The last mount on a point is the one that is seen. Names are read byte by byte as Latin-1, and compared so.
 */
export function filesystemOf(mountinfo: string, path: string): string | null {
  const bytes = Buffer.from(path, 'utf8').toString('latin1');
  let best: { point: string; type: string } | null = null;
  for (const line of mountinfo.split('\n')) {
    const [before = '', after] = line.split(' - ', 2);
    const point = unescape(before.split(' ')[4] ?? '');
    if (after === undefined || !point.startsWith('/')) continue;
    const isIn = point === '/' || bytes === point || bytes.startsWith(`${point}/`);
    if (isIn && (best === null || point.length >= best.point.length)) best = { point, type: after.split(' ')[0] ?? '' };
  }
  return best?.type ?? null;
}

/** The type where changes to files in `path` are not told to this machine, else null; also where it cannot be found out. */
export function remoteFilesystem(path: string): string | null {
  try {
    const type = filesystemOf(readFileSync('/proc/self/mountinfo', 'latin1'), realpathSync(path));
    return type !== null && remote.test(type) ? type : null;
  } catch {
    // No /proc, or no such folder: whoever works on the root next says so.
    return null;
  }
}
