import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Upload } from 'cosslice';
import { signature } from '../sign_server.mjs';
import { account, config, content, fetched, MIB } from './emulator.mjs';

const tokens = { alice: 's3cret', bob: 's3same' };
const environment = {
  ...process.env,
  COSSLICE_APP_ID: account.appId,
  COSSLICE_BUCKET: account.bucket,
  COSSLICE_SECRET_ID: account.secretId,
  COSSLICE_SECRET_KEY: account.secretKey,
  SIGN_TOKENS: Object.entries(tokens).map((pair) => pair.join(':')).join(),
};

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

// The program, as its users start it; what it says is complete when the test has ended.
async function served(t, given = {}) {
  const program = new URL('../sign_server.mjs', import.meta.url).pathname;
  const running = spawn(process.execPath, [program, '--port', '0'], { env: { ...environment, ...given }, stdio: ['ignore', 'inherit', 'pipe'] });
  t.after(() => running.kill());
  const said = [];
  running.stderr.setEncoding('utf8').on('data', (text) => said.push(text));
  const closed = once(running, 'close');
  await Promise.race([once(running.stderr, 'data'), closed]);
  const [url] = /http:\S+\/sign/.exec(said.join('')) ?? assert.fail(said.join(''));
  return {
    ask: (body, { token = 's3cret', method = 'POST', path = '/sign', ...more } = {}) =>
      fetch(new URL(path, url), { method, body, headers: token === null ? {} : { Authorization: `Bearer ${token}` }, ...more }),
    async ended() {
      running.kill();
      await closed;
      return said.join('');
    },
  };
}

const request = (change = {}) => ({ path: '/alice/a', bucket: account.bucket, expires_at_s: 2_000_000_000, ...change });
const fields = (made) => Object.fromEntries(new URLSearchParams(Buffer.from(made, 'base64').subarray(20).toString().replaceAll('%', '%25')));

test('an upload whose signatures come from the server', async (t) => {
  const { ask, ended } = await served(t);
  const keyless = config({
    secretId: '',
    secretKey: '',
    async signer({ path, bucket, expiresAtS }) {
      const response = await ask(JSON.stringify({ path, bucket, expires_at_s: expiresAtS }));
      const { signature: made, error } = await response.json();
      if (error) throw new Error(`${response.status} ${error}`);
      return made;
    },
  });
  const upload = await Upload.open(keyless, '/alice/中 (1).bin');
  await upload.buffer(content(3 * MIB));
  await upload.close();
  assert.ok((await fetched('/alice/中 (1).bin')).equals(content(3 * MIB)));
  const other = await Upload.open(keyless, '/bob/a');
  await assert.rejects(other.buffer(content(10)), (error) => error.code === 'COSSLICE_E_AUTH' && error.cause.message === '403 not allowed');
  await other.close();
  await ask(JSON.stringify(request()), { token: 'wrong' });
  const said = await ended();
  assert.match(said, /signed "\/alice\/中 \(1\)\.bin"/);
  assert.match(said, /127\.0\.0\.1 "POST \/sign" 403/);
  for (const secret of [account.secretKey, ...Object.values(tokens), 'wrong']) assert.ok(!said.includes(secret), secret);
});

test('what the server gives', async (t) => {
  const { ask, ended } = await served(t);
  const now = Math.floor(Date.now() / 1000);
  const given = async (asked, more) => {
    const response = await ask(asked, more);
    assert.equal(response.status, 200);
    assert.match(response.headers.get('content-type'), /^application\/json/);
    assert.equal(response.headers.get('cache-control'), 'no-store');
    const answer = await response.json();
    assert.deepEqual(Object.keys(answer), ['signature']);
    return answer.signature;
  };
  const made = await given(JSON.stringify({ path: '/alice/a b', expires_at_s: now + 100 }));
  const { a, k, b, e, f, t: at, r } = fields(made);
  assert.deepEqual({ a, k, b, e, f }, { a: account.appId, k: account.secretId, b: account.bucket, e: String(now + 100), f: '/1250000000/bkt/alice/a%20b' });
  assert.equal(signature(account, '/alice/a b', e, at, r), made);
  assert.equal(fields(await given(JSON.stringify(request({ path: '/bob/a' })), { token: 's3same' })).f, '/1250000000/bkt/bob/a');
  // Never for longer than it thinks fit.
  const longest = await given(`{"path":"/alice/a","expires_at_s":${2n ** 70n}}`);
  assert.ok(fields(longest).e >= now + 890 && fields(longest).e <= now + 1000, fields(longest).e);
  const said = await ended();
  assert.ok(!said.includes(made) && !said.includes(longest));
});

test('what the server refuses', async (t) => {
  const { ask, ended } = await served(t);
  const json = (change) => JSON.stringify(request(change));
  const cases = [
    [401, json(), { token: null }],
    [401, json(), { token: '' }],
    [401, json(), { headers: { Authorization: 'Basic s3cret' } }],
    [403, json(), { token: 's3same' }],
    [403, json(), { token: 's3cretx' }],
    [403, json(), { token: '\xff' }],
    [404, json(), { path: '/other' }],
    [404, json(), { path: '/sign?a=b' }],
    [501, undefined, { method: 'GET' }],
    [501, json(), { method: 'PUT' }],
    [403, json({ path: '/bob/a' })],
    [403, json({ path: '/a' })],
    [403, json({ path: '/alicea' })],
    [403, json({ bucket: 'other' })],
    [403, json({ bucket: null })],
    // Whole folders, the whole bucket, other people's.
    [400, json({ path: '' })],
    [400, json({ path: '/' })],
    [400, json({ path: '/alice/' })],
    [400, json({ path: '/alice/../bob/a' })],
    [400, json({ path: '/alice/./a' })],
    [400, json({ path: '/alice//a' })],
    [400, json({ path: 'alice/a' })],
    [400, json({ path: '/alice/\ud800' })],
    [400, json({ path: 5 })],
    [400, JSON.stringify({ path: '/alice/a' })],
    // One-time signatures allow to delete.
    [400, json({ expires_at_s: 0 })],
    [400, json({ expires_at_s: -1 })],
    [400, json({ expires_at_s: true })],
    [400, json({ expires_at_s: '5' })],
    [400, json({ expires_at_s: 1.5 })],
    [400, '{"path":"/alice/a","expires_at_s":1e400}'],
    [400, 'null'],
    [400, '[]'],
    [400, '{'],
    [400, ''],
    [400, Buffer.from('{"path":"/alice/\xff","expires_at_s":5}', 'latin1')],
    [400, '['.repeat(8000)],
    [400, ' '.repeat(8192)],
    [413, ' '.repeat(8193)],
    [413, 'x'.repeat(100_000)],
    [413, new Blob([json()]).stream(), { duplex: 'half' }], // in chunks, of unknown length
  ];
  for (const [status, body, more] of cases) {
    const response = await ask(body, more);
    const what = `${String(body).slice(0, 80)} ${JSON.stringify(more)}`;
    assert.equal(response.status, status, what);
    const answer = await response.json();
    assert.deepEqual(Object.keys(answer), ['error'], what);
    assert.ok(answer.error && !answer.error.includes(account.secretKey), what);
  }
  assert.ok(!(await ended()).includes('s3cret'));
});

test('it refuses the names that the library refuses', async (t) => {
  const { ask } = await served(t);
  const library = config();
  const names = [...'?*:|\\<>"\0\n\x7f\x85 \u3000', 'a \u2028', '#%&=+', '中😀', '...', '.a', ' a ', 'a'.repeat(1017), 'a'.repeat(1018), 'é'.repeat(508), 'é'.repeat(509)];
  const seen = new Set();
  for (const name of names) {
    const path = `/alice/${name}`;
    let lawful = true;
    try {
      library.sign(path, 2_000_000_000);
    } catch (error) {
      assert.equal(error.code, 'COSSLICE_E_INVALID_ARG');
      lawful = false;
    }
    seen.add(lawful);
    assert.equal((await ask(JSON.stringify(request({ path })))).status, lawful ? 200 : 400, JSON.stringify(name));
  }
  assert.equal(seen.size, 2);
});

test('a client that goes away', async (t) => {
  const { ask } = await served(t);
  const { port } = new URL((await ask('')).url);
  const client = connect(port, '127.0.0.1');
  client.end('POST /sign HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer s3cret\r\nContent-Length: 5\r\n\r\n{');
  client.resume();
  await once(client, 'close');
  assert.equal((await ask(JSON.stringify(request()))).status, 200);
});

test('a server that lacks something', () => {
  const program = new URL('../sign_server.mjs', import.meta.url).pathname;
  const started = (given, ...more) => spawnSync(process.execPath, [program, ...more], { env: { ...environment, ...given }, encoding: 'utf8', timeout: 30_000 });
  for (const name of ['COSSLICE_APP_ID', 'COSSLICE_BUCKET', 'COSSLICE_SECRET_ID', 'COSSLICE_SECRET_KEY', 'SIGN_TOKENS']) {
    const { status, stderr } = started({ [name]: '' });
    assert.equal(status, 2, name);
    assert.match(stderr, new RegExp(`^sign_server: .*${name}`));
  }
  const ended = started({ COSSLICE_SECRET_KEY: `${account.secretKey}\n` });
  assert.equal(ended.status, 2);
  assert.match(ended.stderr, /COSSLICE_SECRET_KEY/);
  assert.ok(!ended.stderr.includes(account.secretKey));
  for (const arguments_ of [['--port', 'x'], ['--port', '65536'], ['8080']]) assert.equal(started({}, ...arguments_).status, 2, arguments_.join(' '));
});

test('started by a link, as npm does', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'cosslice-link-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const link = join(folder, 'cosslice-sign-server');
  symlinkSync(new URL('../sign_server.mjs', import.meta.url), link);
  assert.equal(spawnSync(process.execPath, [link], { env: { ...environment, SIGN_TOKENS: '' }, timeout: 30_000 }).status, 2);
});
