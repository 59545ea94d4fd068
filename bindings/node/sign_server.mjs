#!/usr/bin/env node
// A server that signs for devices which must not know the secret key: node:http and node:crypto only, not even libcosslice.
//
//     COSSLICE_APP_ID=1250000000 COSSLICE_BUCKET=bkt COSSLICE_SECRET_ID=AKID... COSSLICE_SECRET_KEY=... \
//     SIGN_TOKENS=alice:s3cret,bob:s3same node sign_server.mjs --port 8080
//
// A device posts what its signer is asked:
//
//     POST /sign   Authorization: Bearer s3cret
//     {"path": "/alice/a.mp4", "bucket": "bkt", "expires_at_s": 1700000900}
//
// and gets {"signature": "..."}, as from bindings/python/examples/sign_server.py. The part to replace is `folders`, which decides
// who may write what; here everybody has a token and a folder. Put a server that speaks TLS in front of it.
//
// A signature lets its bearer do everything with that one object until it expires, except deleting, moving and changing its
// attributes, which take a one-time signature: this server makes none.
import { createHash, createHmac, randomInt, timingSafeEqual } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const LIFETIME_S = 900; // what the library asks for, and the most that is given
const BODY_LIMIT = 8192;
const SILENCE_S = 10;

/** A request that is answered with a status and a reason, neither of which is secret. */
class Refused extends Error {
  constructor(status, reason) {
    super(reason);
    this.status = status;
  }
}

/** Whether the bearer of a token may write the object of a path: everybody writes below `/<name>/`; `tokens` are by name. */
export function folders(tokens) {
  // Digests have one length, which timingSafeEqual needs.
  const digest = (token) => createHash('sha256').update(token).digest();
  const people = Object.entries(tokens).map(([name, token]) => [`/${name}/`, digest(token)]);
  return (token, path) => {
    const given = digest(token);
    let allowed = false;
    for (const [folder, expected] of people) allowed = (timingSafeEqual(given, expected) && path.startsWith(folder)) || allowed; // all of them
    return allowed;
  };
}

/**
 * A v4 signature: base64 of the HMAC-SHA1 of the fields and of the fields themselves.
 *
 * `path` begins with "/" and is not encoded; one that ends with "/" covers everything below it, "" the whole bucket.
 * `expiresAtS` is in Unix seconds; 0 makes a one-time signature, which deleting needs.
 */
export function signature({ appId, bucket, secretId, secretKey }, path, expiresAtS, nowS = unixSeconds(), random = randomInt(2 ** 32)) {
  const file = path === '' ? '' : `/${appId}/${bucket}${encodePath(path)}`;
  const fields = Buffer.from(`a=${appId}&k=${secretId}&e=${expiresAtS}&t=${nowS}&r=${random}&f=${file}&b=${bucket}`);
  return Buffer.concat([createHmac('sha1', secretKey).update(fields).digest(), fields]).toString('base64');
}

const unixSeconds = () => Math.floor(Date.now() / 1000);

// Everything but letters, digits and -_.~ is encoded, and the slashes stay: as in the URL that the library asks for.
const encodePath = (path) =>
  encodeURIComponent(path)
    .replaceAll('%2F', '/')
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);

/** Why COS or the library would not take the name of an object, if so. */
function unfit(path) {
  if (!path.isWellFormed()) return 'is not valid Unicode';
  const bytes = Buffer.byteLength(path);
  if (bytes > 1024) return `has ${bytes} bytes; at most 1024 are allowed`;
  const [bad] = /[?*:|\\<>"]/.exec(path) ?? [];
  if (bad) return `contains '${bad}', which COS refuses`;
  if (/\p{Cc}/u.test(path)) return 'contains a control character, which COS refuses';
  if (/\/\p{White_Space}+(\/|$)/u.test(path)) return 'has a segment of nothing but spaces';
}

/** The signature for what a device asks; throws `Refused`. */
function sign(account, authorize, token, request) {
  if (typeof request !== 'object' || request === null || Array.isArray(request)) throw new Refused(400, 'the body must be a JSON object');
  const { path, bucket = account.bucket, expires_at_s: expiresAtS } = request;
  if (typeof path !== 'string' || !path.startsWith('/')) throw new Refused(400, 'path must begin with /');
  // A path that ends with / would sign for everything below it, "" for the whole bucket.
  if (path.slice(1).split('/').some((segment) => ['', '.', '..'].includes(segment))) {
    throw new Refused(400, 'path must name an object, without empty, . or .. segments');
  }
  if (bucket !== account.bucket) throw new Refused(403, 'this server does not sign for that bucket');
  if (!Number.isInteger(expiresAtS) || expiresAtS <= 0) throw new Refused(400, 'expires_at_s must be a time in Unix seconds');
  if (!authorize(token, path)) throw new Refused(403, 'not allowed');
  const why = unfit(path);
  if (why) throw new Refused(400, `the object path ${why}`);
  return signature(account, path, Math.min(expiresAtS, unixSeconds() + LIFETIME_S));
}

/** The body, parsed; throws `Refused`. */
async function received(request) {
  const length = request.headers['content-length'] ?? '';
  if (!/^\d+$/.test(length) || Number(length) > BODY_LIMIT) throw new Refused(413, `a body of up to ${BODY_LIMIT} bytes is needed`);
  const body = Buffer.concat(await request.toArray());
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw new Refused(400, 'the body must be JSON');
  }
}

/** The server for an account, which has the key pair and the bucket; not yet listening. `log` takes a line, never with a secret. */
export function signServer(account, authorize, log) {
  const signed = async (request) => {
    if (request.method !== 'POST') throw new Refused(501, 'only POST is here');
    if (request.url !== '/sign') throw new Refused(404, 'only /sign is here');
    const [, token] = /^Bearer (.+)$/.exec(request.headers.authorization) ?? [];
    if (!token) throw new Refused(401, 'a bearer token is needed');
    const asked = await received(request);
    const made = sign(account, authorize, token, asked);
    log(`signed ${JSON.stringify(asked.path)}`);
    return made;
  };
  const server = createServer(async (request, response) => {
    const who = request.socket.remoteAddress;
    let status = 200;
    let answer;
    try {
      answer = { signature: await signed(request) };
    } catch (error) {
      if (!(error instanceof Refused)) {
        log(`${who} gets no answer: ${error.message}`); // it went away
        return response.destroy();
      }
      status = error.status;
      answer = { error: error.message };
    }
    log(`${who} ${JSON.stringify(`${request.method} ${request.url}`)} ${status}`);
    const body = JSON.stringify(answer);
    response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body), 'Cache-Control': 'no-store' });
    response.end(body);
  });
  return server.setTimeout(SILENCE_S * 1000);
}

function main() {
  const fail = (why) => {
    console.error(`sign_server: ${why}`);
    process.exit(2);
  };
  let options;
  try {
    ({ values: options } = parseArgs({ options: { host: { type: 'string', default: '127.0.0.1' }, port: { type: 'string', default: '8080' } } }));
  } catch (error) {
    fail(error.message);
  }
  if (!/^\d{1,5}$/.test(options.port) || options.port > 65535) fail('--port must be a number up to 65535');
  const account = {};
  const wanted = {
    appId: ['COSSLICE_APP_ID', /^\d{1,20}$/],
    bucket: ['COSSLICE_BUCKET', /^[\w.-]{1,128}$/],
    secretId: ['COSSLICE_SECRET_ID', /^[!-%'-<>-~]{1,256}$/], // no & and =
    secretKey: ['COSSLICE_SECRET_KEY', /^[ -~]{1,4096}$/],
  };
  for (const [field, [name, form]] of Object.entries(wanted)) {
    account[field] = process.env[name];
    if (!account[field]) fail(`${name} is not set, see the file's head`);
    if (!form.test(account[field])) fail(`${name} cannot be right: has it a space, a line's end or a character too many?`);
  }
  const pairs = (process.env.SIGN_TOKENS ?? '').split(',').map((pair) => /^([^:]+):(.+)$/s.exec(pair)?.slice(1));
  const tokens = Object.fromEntries(pairs.filter(Boolean));
  if (Object.keys(tokens).length === 0) fail("set SIGN_TOKENS to name:token,..., see the file's head");
  const log = (line) => console.error(new Date().toISOString(), line);
  const server = signServer(account, folders(tokens), log);
  server.on('error', (error) => fail(error.message));
  server.listen(Number(options.port), options.host, () => {
    const { address, family, port } = server.address();
    log(`signing on http://${family === 'IPv6' ? `[${address}]` : address}:${port}/sign`);
  });
}

// npm starts it by a link.
if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) main();
