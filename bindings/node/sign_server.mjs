#!/usr/bin/env node
// An app server that hands out signatures, so that the secret key never leaves it. node:http and node:crypto only.
//
//     COSSLICE_APP_ID=1250000000 COSSLICE_BUCKET=bkt COSSLICE_SECRET_ID=AKID... COSSLICE_SECRET_KEY=... \
//     SIGN_SERVER_TOKEN=... node sign_server.mjs [PORT]
//
//     POST /sign   Authorization: Bearer <SIGN_SERVER_TOKEN>   {"path": "/uploads/a.mp4"}
//     200          {"authorization": "...", "expires_at_s": 1500000900}
//
// What a client's signer gets back it returns to the library. Who may upload what is for you to decide, in `mayUpload`;
// put TLS before it.
import { createHmac, randomInt, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

const LIFETIME_S = 900;
const BODY_AT_MOST = 16 * 1024;

/**
 * A v4 signature: base64 of the HMAC-SHA1 of the fields and of the fields themselves.
 *
 * `path` begins with "/" and is not encoded; one that ends with "/" covers everything below it, "" the whole bucket.
 * `expiresAtS` is in Unix seconds; 0 makes a one-time signature, which deleting needs.
 */
export function signature({ appId, bucket, secretId, secretKey }, path, expiresAtS, nowS = Math.floor(Date.now() / 1000), random = randomInt(2 ** 32)) {
  const file = path === '' ? '' : `/${appId}/${bucket}${encodePath(path)}`;
  const fields = Buffer.from(`a=${appId}&k=${secretId}&e=${expiresAtS}&t=${nowS}&r=${random}&f=${file}&b=${bucket}`);
  return Buffer.concat([createHmac('sha1', secretKey).update(fields).digest(), fields]).toString('base64');
}

// Everything but letters, digits and -_.~ is encoded, and the slashes stay: as in the URL that the library asks for.
const encodePath = (path) =>
  encodeURIComponent(path)
    .replaceAll('%2F', '/')
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);

/** Your own rule: here, whoever has the token may upload below /uploads/. */
function mayUpload(path) {
  return path.startsWith('/uploads/') && !path.endsWith('/') && !path.split('/').includes('..');
}

/** The server, not yet listening. */
export function signServer(account, token) {
  const expected = Buffer.from(`Bearer ${token}`);
  return createServer(async (request, response) => {
    const reply = (status, body) => {
      response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
      response.end(JSON.stringify(body));
    };
    try {
      if (request.url !== '/sign' || request.method !== 'POST') return reply(404, { error: 'POST /sign is all there is' });
      const given = Buffer.from(request.headers.authorization ?? '');
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return reply(401, { error: 'the token is wrong' });
      let body = '';
      for await (const piece of request.setEncoding('utf8')) {
        body += piece;
        if (body.length > BODY_AT_MOST) return reply(413, { error: 'the request is too long' });
      }
      let path;
      try {
        ({ path } = JSON.parse(body));
      } catch {
        return reply(400, { error: 'the request is no JSON object' });
      }
      if (typeof path !== 'string' || !path.isWellFormed()) return reply(400, { error: 'path must be a text' });
      if (!mayUpload(path)) return reply(403, { error: 'uploads go below /uploads/' });
      const expiresAtS = Math.floor(Date.now() / 1000) + LIFETIME_S;
      reply(200, { authorization: signature(account, path, expiresAtS), expires_at_s: expiresAtS });
    } catch (error) {
      console.error('sign_server:', error.message); // the client went away
      response.destroy();
    }
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const account = {};
  const names = { appId: 'COSSLICE_APP_ID', bucket: 'COSSLICE_BUCKET', secretId: 'COSSLICE_SECRET_ID', secretKey: 'COSSLICE_SECRET_KEY' };
  for (const [field, name] of Object.entries({ ...names, token: 'SIGN_SERVER_TOKEN' })) {
    account[field] = process.env[name];
    if (!account[field]) {
      console.error(`sign_server: ${name} is not set`);
      process.exit(2);
    }
  }
  const server = signServer(account, account.token);
  server.listen(Number(process.argv[2] ?? 8080), '127.0.0.1', () => console.log(`signs on http://127.0.0.1:${server.address().port}/sign`));
}
