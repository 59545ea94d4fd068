// The numbers of cosslice.h. A test compares each of them with the header.

export const ABI_VERSION = 1;

/** What a call came to: `COSSLICE_OK` and `COSSLICE_E_*`. */
export const Status = Object.freeze({
  OK: 0,
  INVALID_ARG: -1,
  STATE: -2,
  BUSY: -3,
  UNKNOWN_OPTION: -4,
  NOMEM: -5,
  FILE: -6,
  SOURCE_CHANGED: -7,
  NETWORK: -8,
  TLS: -9,
  TIMEOUT: -10,
  PROTOCOL: -11,
  SERVER: -12,
  AUTH: -13,
  EXISTS: -14,
  CANCELED: -15,
  FORKED: -16,
  CONFLICT: -17,
  INTEGRITY: -18,
  NOT_FOUND: -19,
  PANIC: -99,
});

/** `COSSLICE_OPT_*`: texts below 100, numbers above. */
export const Option = Object.freeze({
  APP_ID: 1,
  BUCKET: 2,
  REGION: 3,
  ENDPOINT: 4,
  SECRET_ID: 5,
  SECRET_KEY: 6,
  AUTHORIZATION: 7,
  BIZ_ATTR: 8,
  RESUME_TOKEN: 9,
  CA_PEM: 10,
  PROXY: 11,
  USER_AGENT: 12,
  SLICE_SIZE: 101,
  IN_FLIGHT: 102,
  RETRIES: 103,
  CONNECT_TIMEOUT_MS: 104,
  IO_TIMEOUT_MS: 105,
  SIGN_TTL_S: 106,
  OVERWRITE: 107,
  RESUME: 108,
  HASH: 109,
  VERIFY: 110,
  SINGLE_MAX: 111,
  BANDWIDTH: 112,
});

/** `COSSLICE_INFO_*`: texts below 100, numbers above. */
export const Info = Object.freeze({
  ACCESS_URL: 1,
  SOURCE_URL: 2,
  RESOURCE_PATH: 3,
  URL: 4,
  PREVIEW_URL: 5,
  VID: 6,
  SHA1: 7,
  MESSAGE: 8,
  SERVER_MESSAGE: 9,
  REQUEST_ID: 10,
  RESUME_TOKEN: 11,
  BYTES_TOTAL: 101,
  BYTES_DONE: 102,
  BYTES_RESUMED: 103,
  NEXT_OFFSET: 104,
  SLICE_SIZE: 105,
  INSTANT: 106,
  VERIFIED: 107,
  HTTP_STATUS: 108,
  SERVER_CODE: 109,
  OS_ERROR: 110,
  RETRYABLE: 111,
  RETRIES: 112,
  PHASE: 113,
});

/** `COSSLICE_PHASE_*`: what is being done with the content. */
export const Phase = Object.freeze({ IDLE: 0, HASHING: 1, SENDING: 2, FINISHING: 3, DONE: 4 });

/** `COSSLICE_LOG_*`: how much a log line matters. */
export const LogLevel = Object.freeze({ ERROR: 1, WARN: 2, INFO: 3, DEBUG: 4 });

/** `COSSLICE_SIGN_*`: texts below 100, numbers above. */
export const SignField = Object.freeze({
  OP: 1,
  APP_ID: 2,
  BUCKET: 3,
  PATH: 4,
  FILE_ID: 5,
  EXPIRES_AT_S: 101,
  NOW_S: 102,
});

/** `ACCESS_URL` is `accessUrl` in JavaScript. */
export const camelCase = (name) => name.toLowerCase().replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase());
