import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, test } from 'node:test';
import { Config, CossliceError, Info, LogLevel, Phase, Status, Upload, version } from 'cosslice';
import { account, config, content, endpoint, faults, fetched, MIB, origin } from './emulator.mjs';

const folder = mkdtempSync(join(tmpdir(), 'cosslice-node-'));
after(() => rmSync(folder, { recursive: true }));
const PACKAGE = new URL('./', import.meta.resolve('cosslice'));

async function opened(t, path, options, of = config()) {
  const upload = await Upload.open(of, path, options);
  t.after(() => upload.close());
  return upload;
}

test('a buffer', async (t) => {
  const data = content(3 * MIB + 17);
  const seen = [];
  const upload = await opened(t, '/buffer/a b+中.bin', { onProgress: (now) => seen.push(now) });
  const result = await upload.buffer(data);
  assert.deepEqual(await fetched('/buffer/a b+中.bin'), data);
  assert.equal(result.sha1, createHash('sha1').update(data).digest('hex'));
  for (const name of ['accessUrl', 'sourceUrl', 'url']) assert.match(result[name], /^http/);
  assert.equal(result.resourcePath, '/1250000000/bkt/buffer/a%20b%2B%E4%B8%AD.bin');
  assert.deepEqual([result.bytesTotal, result.bytesResumed, result.verified, result.instant], [data.length, 0, true, false]);
  assert.equal(upload.get(Info.PHASE), Phase.DONE);
  assert.ok(seen.every(({ done, total }) => done <= total && total === data.length), JSON.stringify(seen));
  const sent = seen.filter(({ phase }) => phase === Phase.SENDING).map(({ done }) => done);
  assert.ok(sent.length > 0 && sent.every((done, i) => i === 0 || done >= sent[i - 1]), `${sent}`);
});

test('all kinds of memory, and all sizes', async (t) => {
  for (const size of [0, 1, 63, MIB - 1, MIB, MIB + 1]) {
    const data = content(size);
    const shared = new SharedArrayBuffer(size);
    Buffer.from(shared).set(data);
    const forms = { Buffer: data, Uint8Array: new Uint8Array(data), ArrayBuffer: new Uint8Array(data).buffer, shared, DataView: new DataView(new Uint8Array(data).buffer) };
    for (const [name, form] of Object.entries(forms)) {
      const path = `/sizes/${name}-${size}`;
      const upload = await opened(t, path);
      await upload.buffer(form);
      assert.ok((await fetched(path)).equals(data), path);
      await upload.close();
    }
  }
});

test('a file', async (t) => {
  const name = join(folder, 'contént');
  writeFileSync(name, content(2 * MIB + 1));
  await (await opened(t, '/file')).file(name);
  assert.ok((await fetched('/file')).equals(content(2 * MIB + 1)));
  await assert.rejects((await opened(t, '/file2')).file('/nowhere/at/all'), (error) => {
    assert.ok(error instanceof CossliceError);
    assert.deepEqual([error.code, error.status, error.osError, error.retryable], ['COSSLICE_E_FILE', Status.FILE, 2, false]);
    return true;
  });
});

test('streams of known size', async (t) => {
  const data = content(2 * MIB + 77);
  const name = join(folder, 'streamed');
  writeFileSync(name, data);
  const sources = {
    file: () => createReadStream(name, { highWaterMark: 100_001 }),
    web: () => new Blob([data]).stream(),
    pieces: () => [data.subarray(0, 5), data.subarray(5, MIB + 9), Buffer.alloc(0), data.subarray(MIB + 9)],
  };
  for (const [kind, source] of Object.entries(sources)) {
    await (await opened(t, `/stream/${kind}`)).stream(source(), data.length);
    assert.ok((await fetched(`/stream/${kind}`)).equals(data), kind);
  }
  await (await opened(t, '/stream/text')).stream(['中', '文'], 6);
  assert.equal((await fetched('/stream/text')).toString(), '中文');
  await assert.rejects((await opened(t, '/stream/short')).stream([data.subarray(0, 9)], 10), { code: 'COSSLICE_E_SOURCE_CHANGED' });
  await assert.rejects((await opened(t, '/stream/long')).stream([data.subarray(0, 9)], 8), { code: 'COSSLICE_E_SOURCE_CHANGED' });
  const broken = new Readable({ read: () => broken.destroy(new Error('the disk fell off')) });
  await assert.rejects((await opened(t, '/stream/broken')).stream(broken, 10), { message: 'the disk fell off' });
});

test('a stream continues by its token', async (t) => {
  const data = content(4 * MIB);
  await faults({ op: 'upload_slice_data', path: '/token', offset: 2 * MIB, do: 'status', status: 500 });
  const first = await opened(t, '/token', {}, config({ inFlight: 1, retries: 0 }));
  let token;
  await assert.rejects(first.stream([data], data.length), (error) => {
    assert.equal(error.retryable, true);
    assert.equal(error.httpStatus, 500);
    token = error.resumeToken;
    return true;
  });
  assert.equal(first.resumeToken, token);
  await faults();
  await assert.rejects((await opened(t, '/token')).stream([data], data.length), { code: 'COSSLICE_E_CONFLICT' });
  const second = await opened(t, '/token', {}, config({ resumeToken: token }));
  assert.equal((await second.stream([data], data.length)).bytesResumed, 2 * MIB);
  assert.ok((await fetched('/token')).equals(data));
});

test('in pieces, from where the server stands', async (t) => {
  const data = content(3 * MIB);
  await faults({ op: 'upload_slice_data', path: '/pieces', offset: MIB, do: 'status', status: 500 });
  const first = await opened(t, '/pieces', {}, config({ inFlight: 1, retries: 0 }));
  await assert.rejects(first.buffer(data));
  await faults();
  const upload = await opened(t, '/pieces');
  await upload.hash(data.subarray(0, 10));
  await upload.hash(data.subarray(10));
  await upload.init(data.length);
  assert.equal(upload.nextOffset, MIB);
  await upload.seek(upload.nextOffset);
  await upload.feed(data.subarray(MIB));
  const result = await upload.finish();
  assert.equal(result.bytesResumed, MIB);
  assert.ok((await fetched('/pieces')).equals(data));
});

test('the event loop goes on', async (t) => {
  await faults({ op: 'upload_slice_data', path: '/loop', do: 'delay', ms: 300 });
  const upload = await opened(t, '/loop');
  let turns = 0;
  const timer = setInterval(() => (turns += 1), 5);
  await upload.buffer(content(2 * MIB));
  clearInterval(timer);
  await faults();
  assert.ok(turns > 5, `only ${turns} turns in 300 ms`);
});

test('many at once, more than libuv has threads for', async (t) => {
  const of = config();
  await faults({ op: 'upload_slice_data', do: 'delay', ms: 100 });
  await Promise.all(
    Array.from({ length: 10 }, async (_, i) => {
      const upload = await opened(t, `/many/${i}`, {}, of);
      await upload.buffer(content(MIB + 100 + i));
      await upload.close();
      assert.ok((await fetched(`/many/${i}`)).equals(content(MIB + 100 + i)), `${i}`);
    }),
  );
  await faults();
});

test('what there is already', async (t) => {
  await (await opened(t, '/taken')).buffer(content(100));
  await assert.rejects((await opened(t, '/taken')).buffer(content(101)), (error) => {
    assert.equal(error.code, 'COSSLICE_E_EXISTS');
    assert.ok(error.serverCode < 0 && error.serverMessage && error.requestId && error.httpStatus >= 200, JSON.stringify(error));
    return true;
  });
  await (await opened(t, '/taken', {}, config({ overwrite: 1 }))).buffer(content(101));
  assert.ok((await fetched('/taken')).equals(content(101)));
});

test('a signal ends it', { timeout: 40_000 }, async (t) => {
  await faults({ op: 'upload_slice_data', path: '/signal', do: 'stall' });
  const of = config({ overwrite: 2, hash: false }); // the server may have the content
  for (const [name, send] of Object.entries({
    buffer: (upload) => upload.buffer(content(3 * MIB)),
    stream: (upload) => upload.stream(Readable.from([content(2 * MIB), content(MIB)]), 3 * MIB),
  })) {
    const controller = new AbortController();
    const upload = await opened(t, '/signal', { signal: controller.signal, onProgress: ({ phase }) => phase === Phase.SENDING && controller.abort() }, of);
    const started = performance.now();
    await assert.rejects(send(upload), (error) => {
      assert.deepEqual([error.name, error.code, error.cause], ['AbortError', 'COSSLICE_E_CANCELED', controller.signal.reason], name);
      return true;
    });
    assert.ok(performance.now() - started < 10_000, 'promised are 250 ms'); // the silence would last a minute
    await upload.close();
  }
  await faults();

  const silent = new AbortController();
  const waiting = await opened(t, '/silent', { signal: silent.signal });
  const source = new ReadableStream({ pull: () => void setImmediate(() => silent.abort()) }); // which never says anything
  await assert.rejects(waiting.stream(source, 10), { name: 'AbortError' });

  await assert.rejects((await opened(t, '/early', { signal: AbortSignal.abort() })).buffer(content(10)), { name: 'AbortError' });

  const stuck = new AbortController();
  const forever = config({ signer: () => (setImmediate(() => stuck.abort()), new Promise(() => {})) });
  await assert.rejects((await opened(t, '/stuck', { signal: stuck.signal }, forever)).buffer(content(10)), { name: 'AbortError' });
});

test('cancel and close', { timeout: 40_000 }, async (t) => {
  await faults({ op: 'upload_slice_data', path: '/cancel', do: 'stall' });
  const of = config({ overwrite: 2, hash: false }); // the server may have the content
  const canceled = await opened(t, '/cancel', { onProgress: ({ phase }) => phase === Phase.SENDING && canceled.cancel() }, of);
  await assert.rejects(canceled.buffer(content(3 * MIB)), { name: 'CossliceError', code: 'COSSLICE_E_CANCELED' });
  const closed = await opened(t, '/cancel', { onProgress: ({ phase }) => phase === Phase.SENDING && void closed.close() }, of);
  await assert.rejects(closed.buffer(content(3 * MIB)), { code: 'COSSLICE_E_CANCELED' });
  await closed.close();
  await assert.rejects(closed.finish(), { code: 'COSSLICE_E_STATE' });
  assert.equal(closed.get(Info.BYTES_DONE), undefined);
  closed.cancel();
  await faults();
});

test('one call at a time', async (t) => {
  const upload = await opened(t, '/busy');
  const first = upload.buffer(content(2 * MIB));
  assert.equal(upload.get(Info.MESSAGE), undefined);
  await assert.rejects(upload.init(5), { code: 'COSSLICE_E_BUSY' });
  await first;
  await assert.rejects(upload.init(5), { code: 'COSSLICE_E_STATE' });
});

test('a signer elsewhere', async (t) => {
  const server = config();
  const asked = [];
  const keyless = config({
    secretId: '',
    secretKey: '',
    async signer(request) {
      asked.push(request);
      await new Promise((resolve) => setTimeout(resolve, 20)); // as a request to a server would
      return server.sign(request.path, request.expiresAtS);
    },
  });
  await (await opened(t, '/signed/中', {}, keyless)).buffer(content(2 * MIB));
  assert.ok((await fetched('/signed/中')).equals(content(2 * MIB)));
  const { op, expiresAtS, nowS, ...rest } = asked[0];
  assert.deepEqual(rest, { appId: account.appId, bucket: account.bucket, path: '/signed/中', fileId: '/1250000000/bkt/signed/%E4%B8%AD' });
  assert.ok(op.startsWith('upload') && expiresAtS > nowS && Math.abs(nowS - Date.now() / 1000) < 60);

  const mine = new Error('on holiday');
  const failing = { throws: () => { throw mine; }, rejects: () => Promise.reject(mine) };
  for (const [name, signer] of Object.entries(failing)) {
    await assert.rejects((await opened(t, '/unsigned', {}, config({ signer }))).buffer(content(10)), { code: 'COSSLICE_E_AUTH', cause: mine }, name);
  }
  for (const bad of ['', 'x'.repeat(5000), 'x'.repeat(20_000), 17, undefined]) {
    await assert.rejects((await opened(t, '/unsigned', {}, config({ signer: () => bad }))).buffer(content(10)), (error) => {
      assert.equal(error.code, 'COSSLICE_E_AUTH');
      assert.ok(!error.message.includes('xxx'));
      return true;
    });
  }
  // A config without a signer, on a thread that had one.
  await (await opened(t, '/own-key')).buffer(content(10));
});

test('listeners that throw', async (t) => {
  const mine = new Error('mine');
  const progress = await opened(t, '/throws', { onProgress: () => { throw mine; } });
  await assert.rejects(progress.buffer(content(3 * MIB)), mine);
  const logging = await opened(t, '/throws2', {}, config({ log: () => { throw mine; }, logLevel: LogLevel.DEBUG }));
  await assert.rejects(logging.buffer(content(3 * MIB)), mine);
});

test('log lines', async (t) => {
  const lines = [];
  const upload = await opened(t, '/log', {}, config({ logLevel: LogLevel.DEBUG, log: (level, line) => lines.push([level, line]) }));
  await upload.buffer(content(2 * MIB));
  assert.ok(lines.length > 0 && lines.every(([level]) => Object.values(LogLevel).includes(level)));
  assert.ok(!JSON.stringify(lines).includes(account.secretKey));
});

test('bad input is refused', async (t) => {
  for (const [options, kind] of [
    [{ nonsense: 1 }, TypeError],
    [{ bucket: 5 }, TypeError],
    [{ signer: 5 }, TypeError],
    [{ logLevel: 9 }, RangeError],
    [{ inFlight: '4' }, TypeError],
    [{ inFlight: 65 }, { code: 'COSSLICE_E_INVALID_ARG', message: /IN_FLIGHT|in_flight|64/i }],
    [{ inFlight: -1 }, { code: 'COSSLICE_E_INVALID_ARG' }],
    [{ inFlight: 1.5 }, { code: 'COSSLICE_E_INVALID_ARG' }],
    [{ bandwidth: 2n ** 64n }, { code: 'COSSLICE_E_INVALID_ARG' }],
    [{ bucket: 'a\0b' }, { code: 'COSSLICE_E_INVALID_ARG' }],
    [{ bizAttr: '\ud800' }, { code: 'COSSLICE_E_INVALID_ARG' }],
  ]) {
    assert.throws(() => config(options), kind, Object.keys(options)[0]);
  }
  for (const path of ['', 'relative', '/a\0b', '/a/', '/a//b', '\udc00']) {
    await assert.rejects(Upload.open(config(), path), { code: 'COSSLICE_E_INVALID_ARG' }, JSON.stringify(path));
  }
  await assert.rejects(Upload.open(new Config(), '/a'), { code: 'COSSLICE_E_INVALID_ARG' });
  const upload = await opened(t, '/refused');
  await assert.rejects(upload.buffer('text'), TypeError);
  await assert.rejects(upload.init(-1), { code: 'COSSLICE_E_INVALID_ARG' });
  await assert.rejects(upload.init(NaN), { code: 'COSSLICE_E_INVALID_ARG' });
  await upload.buffer(content(10)); // nothing was changed
  const closed = config();
  closed.close();
  closed.close();
  assert.throws(() => closed.sign('/a'), { code: 'COSSLICE_E_STATE' });
  await assert.rejects(Upload.open(closed, '/a'), { code: 'COSSLICE_E_STATE' });
});

// In a program of its own: one that hangs must not hang the tests.
function program(body, timeout = 30_000) {
  const code = `import { Config, Upload } from 'cosslice';
    const upload = await Upload.open(new Config(${JSON.stringify({ ...account, endpoint, overwrite: 2, hash: false })}), '/program', {
      onProgress: ({ phase }) => phase === 2 && sending() });
    ${body}`;
  const ended = spawnSync(process.execPath, ['--input-type=module', '-e', code], { timeout, encoding: 'utf8', cwd: new URL('./', import.meta.url) });
  assert.equal(ended.error, undefined, ended.stderr);
  return ended;
}

test('a program ends', { timeout: 100_000 }, async () => {
  await faults({ op: 'upload_slice_data', path: '/program', do: 'stall' });
  const left = program('function sending() { process.exit(7); } await upload.buffer(Buffer.alloc(3e6));');
  assert.equal(left.status, 7, left.stderr);
  const thrown = program('function sending() { setImmediate(() => { throw new Error("mine"); }); } await upload.buffer(Buffer.alloc(3e6));');
  assert.equal(thrown.status, 1);
  assert.match(thrown.stderr, /Error: mine/);
  await faults();
  const forgotten = program('function sending() {} await upload.buffer(Buffer.alloc(3e6)); console.log("done");'); // no close
  assert.deepEqual([forgotten.status, forgotten.stdout], [0, 'done\n'], forgotten.stderr);
});

test('cosslice-put', async () => {
  const name = join(folder, 'put');
  writeFileSync(name, content(3 * MIB));
  const env = { ...process.env, COSSLICE_APP_ID: account.appId, COSSLICE_SECRET_ID: account.secretId, COSSLICE_SECRET_KEY: account.secretKey, COSSLICE_ENDPOINT: endpoint };
  const put = (...args) => spawnSync(process.execPath, [new URL('cosslice-put.mjs', PACKAGE).pathname, ...args], { env, encoding: 'utf8', timeout: 30_000 });
  const done = put(name, 'bkt/put/a.bin');
  assert.equal(done.status, 0, done.stderr);
  assert.equal(done.stdout.trim(), `${origin}/1250000000/bkt/put/a.bin`);
  assert.match(done.stderr, /100 % of 3145728 bytes/);
  assert.ok((await fetched('/put/a.bin')).equals(content(3 * MIB)));
  writeFileSync(name, content(2 * MIB));
  const taken = put(name, 'bkt/put/a.bin');
  assert.equal(taken.status, 3, taken.stderr);
  assert.match(taken.stderr, /request id: /);
  assert.equal(put().status, 2);
  assert.equal(put('/nowhere', 'bkt/x').status, 5);

  writeFileSync(name, content(2 * MIB + 4242)); // which the server does not have
  await faults({ op: 'upload_slice_data', path: '/put/b.bin', do: 'stall' });
  const stopped = spawn(process.execPath, [new URL('cosslice-put.mjs', PACKAGE).pathname, name, 'bkt/put/b.bin'], { env });
  stopped.stderr.setEncoding('utf8').on('data', (said) => said.includes('sending') && stopped.kill('SIGINT'));
  assert.deepEqual(await once(stopped, 'exit'), [130, null]);
  await faults();
  assert.equal(put(name, 'bkt/put/b.bin').status, 0);
});

test('the versions', () => {
  const wanted = /^version = "(.*)"/m.exec(readFileSync(process.env.COSSLICE_CARGO_TOML, 'utf8'))[1];
  assert.equal(version, wanted);
  assert.equal(JSON.parse(readFileSync(new URL('package.json', PACKAGE), 'utf8')).version, wanted);
});
