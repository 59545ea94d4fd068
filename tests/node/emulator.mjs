// The emulator, one for each test file, and what tests do with it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Config } from 'cosslice';

export const MIB = 1 << 20;
export const account = { appId: '1250000000', bucket: 'bkt', secretId: 'AKIDEXAMPLE', secretKey: 'examplesecretkey' };

const data = mkdtempSync(join(tmpdir(), 'cosslice-node-'));
// The shell ends it when this process is gone, however it went.
const child = spawn('sh', ['-c', '"$0" "$@" </dev/null & cat; kill $!', process.env.COSSLICE_EMULATOR, '--data', data], { stdio: ['pipe', 'pipe', 'inherit'] });
const [said] = await once(child.stdout.setEncoding('utf8'), 'data'); // it says where it listens as soon as it does
export const origin = `http://${/listens on (127\.0\.0\.1:\d+)/.exec(said)[1]}`;
export const endpoint = `${origin}/files/v2`;
child.stdout.resume();
child.unref();
child.stdout.unref();
child.stdin.unref();
process.on('exit', () => rmSync(data, { recursive: true, force: true }));

/** Bytes that no two offsets share, the same for the same size. */
export function content(size) {
  const bytes = Buffer.alloc(size);
  let state = size + 1;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

export const config = (options = {}) => new Config({ ...account, endpoint, ...options });

export async function fetched(path) {
  const encoded = path.split('/').map(encodeURIComponent).join('/');
  const response = await fetch(`${origin}/${account.appId}/${account.bucket}${encoded}`);
  if (!response.ok) throw new Error(`fetching ${path} gave ${response.status}`);
  return Buffer.from(await response.arrayBuffer());
}

/** Replaces the faults. */
export async function faults(...rules) {
  const response = await fetch(`${origin}/_emulator/faults`, { method: 'POST', body: JSON.stringify(rules) });
  if (!response.ok) throw new Error(await response.text());
}
