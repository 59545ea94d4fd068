import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { Upload } from 'cosslice';
import { signature, signServer } from '../sign_server.mjs';
import { account, config, content, fetched, MIB } from './emulator.mjs';

const TOKEN = 'token-of-the-app';

test('known signatures', () => {
  const made = (path, expires) => signature(account, path, expires, 1500000000, 1234567890);
  assert.equal(made('', 1500000300), 's4g8BJ/dTXK536Q0L0nOO4G35PZhPTEyNTAwMDAwMDAmaz1BS0lERVhBTVBMRSZlPTE1MDAwMDAzMDAmdD0xNTAwMDAwMDAwJnI9MTIzNDU2Nzg5MCZmPSZiPWJrdA==');
  assert.equal(made('/dir/a b+中.txt', 1500000300), 'L5wxXeFStjEfcWlcosIHkCwgeTthPTEyNTAwMDAwMDAmaz1BS0lERVhBTVBMRSZlPTE1MDAwMDAzMDAmdD0xNTAwMDAwMDAwJnI9MTIzNDU2Nzg5MCZmPS8xMjUwMDAwMDAwL2JrdC9kaXIvYSUyMGIlMkIlRTQlQjglQUQudHh0JmI9Ymt0');
  assert.equal(made('/dir/a b+中.txt', 0), 'fvOTe8VJaT2BSw39uptanercrJ9hPTEyNTAwMDAwMDAmaz1BS0lERVhBTVBMRSZlPTAmdD0xNTAwMDAwMDAwJnI9MTIzNDU2Nzg5MCZmPS8xMjUwMDAwMDAwL2JrdC9kaXIvYSUyMGIlMkIlRTQlQjglQUQudHh0JmI9Ymt0');
});

test('the same as the library signs', () => {
  const library = config();
  for (const path of ['', '/a', '/dir/', "/d/-_.~!'()&=%41,;@$#[]{}^` é中😀/x"]) {
    const theirs = library.sign(path, 4102444800 - 40 * 365 * 86400);
    const [, time, random] = /&t=(\d+)&r=(\d+)&/.exec(Buffer.from(theirs, 'base64').subarray(20).toString());
    assert.equal(signature(account, path, 4102444800 - 40 * 365 * 86400, time, random), theirs, path);
  }
});

async function served(t) {
  const server = signServer(account, TOKEN);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return (body, { token = TOKEN, method = 'POST', path = '/sign' } = {}) =>
    fetch(`http://127.0.0.1:${server.address().port}${path}`, { method, body, headers: { Authorization: `Bearer ${token}` } });
}

test('an upload whose signatures come from the server', async (t) => {
  const ask = await served(t);
  const keyless = config({
    secretId: '',
    secretKey: '',
    async signer({ path }) {
      const response = await ask(JSON.stringify({ path }));
      if (!response.ok) throw new Error((await response.json()).error);
      return (await response.json()).authorization;
    },
  });
  const upload = await Upload.open(keyless, '/uploads/中 (1).bin');
  await upload.buffer(content(3 * MIB));
  await upload.close();
  assert.ok((await fetched('/uploads/中 (1).bin')).equals(content(3 * MIB)));
  const other = await Upload.open(keyless, '/elsewhere');
  await assert.rejects(other.buffer(content(10)), (error) => error.code === 'COSSLICE_E_AUTH' && error.cause.message.includes('/uploads/'));
  await other.close();
});

test('what the server refuses', async (t) => {
  const ask = await served(t);
  const status = async (...request) => (await ask(...request)).status;
  const good = JSON.stringify({ path: '/uploads/a' });
  assert.equal(await status(good), 200);
  assert.equal(await status(good, { token: 'guess' }), 401);
  assert.equal(await status(good, { path: '/' }), 404);
  assert.equal(await status(undefined, { method: 'GET' }), 404);
  for (const body of ['', 'x', '{}', 'null', '[]', '{"path":5}', '{"path":"\\ud800"}']) assert.equal(await status(body), 400, body);
  for (const path of ['/etc/a', '/uploads/', '/uploads/../a', '']) assert.equal(await status(JSON.stringify({ path })), 403, path);
  assert.equal(await status('x'.repeat(100_000)), 413);
});

test('as a program', async () => {
  const program = new URL('../sign_server.mjs', import.meta.url).pathname;
  const env = { ...process.env, COSSLICE_APP_ID: account.appId, COSSLICE_BUCKET: account.bucket, COSSLICE_SECRET_ID: account.secretId, COSSLICE_SECRET_KEY: account.secretKey, SIGN_SERVER_TOKEN: TOKEN };
  const running = spawn(process.execPath, [program, '0'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = await once(running.stdout.setEncoding('utf8'), 'data');
  const response = await fetch(/http\S+/.exec(said)[0], { method: 'POST', body: '{"path":"/uploads/a"}', headers: { Authorization: `Bearer ${TOKEN}` } });
  const { authorization, expires_at_s: expires } = await response.json();
  assert.match(Buffer.from(authorization, 'base64').subarray(20).toString(), new RegExp(`&e=${expires}&.*&f=/1250000000/bkt/uploads/a&b=bkt$`));
  running.kill();
  await once(running, 'exit');
  const missing = spawnSync(process.execPath, [program], { env: { ...env, COSSLICE_SECRET_KEY: '' }, encoding: 'utf8' });
  assert.equal(missing.status, 2);
  assert.match(missing.stderr, /COSSLICE_SECRET_KEY/);
});
