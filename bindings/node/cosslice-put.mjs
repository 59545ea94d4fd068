#!/usr/bin/env node
// Uploads a file with a progress line. Ctrl-C stops it; the same command again continues.
//
//     cosslice-put.mjs FILE BUCKET/PATH
//
// The environment gives the rest: COSSLICE_APP_ID, COSSLICE_SECRET_ID, COSSLICE_SECRET_KEY, and COSSLICE_REGION or
// COSSLICE_ENDPOINT.
import { Config, Phase, Upload } from './upload.mjs';

const [file, target] = process.argv.slice(2);
const [, bucket, path] = /^([^/]+)(\/.+)$/.exec(target ?? '') ?? [];
if (!path || process.argv.length !== 4) {
  console.error('usage: cosslice-put.mjs FILE BUCKET/PATH');
  process.exit(2);
}

const exitCodes = { COSSLICE_E_INVALID_ARG: 2, COSSLICE_E_EXISTS: 3, COSSLICE_E_CONFLICT: 3, COSSLICE_E_AUTH: 4, COSSLICE_E_FILE: 5, COSSLICE_E_SOURCE_CHANGED: 5, COSSLICE_E_CANCELED: 130 };
const phaseOf = Object.fromEntries(Object.entries(Phase).map(([name, number]) => [number, name.toLowerCase()]));
const interrupt = new AbortController();
process.once('SIGINT', () => interrupt.abort());

let upload;
try {
  const env = process.env;
  const config = new Config({
    appId: env.COSSLICE_APP_ID,
    bucket,
    region: env.COSSLICE_REGION,
    endpoint: env.COSSLICE_ENDPOINT,
    secretId: env.COSSLICE_SECRET_ID,
    secretKey: env.COSSLICE_SECRET_KEY,
  });
  upload = await Upload.open(config, path, {
    signal: interrupt.signal,
    onProgress({ phase, done, total }) {
      const percent = total > 0 ? Math.floor((done / total) * 100) : 100;
      process.stderr.write(`\r${phaseOf[phase].padEnd(9)} ${percent} % of ${total} bytes`);
    },
  });
  const { accessUrl } = await upload.file(file);
  process.stderr.write('\n');
  console.log(accessUrl);
} catch (error) {
  console.error(`\ncosslice-put: ${error.message}`);
  if (error.requestId) console.error(`  request id: ${error.requestId}`);
  if (error.retryable) console.error('  the same command again continues');
  process.exitCode = exitCodes[error.code] ?? 1;
} finally {
  await upload?.close();
}
