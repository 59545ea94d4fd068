import { functions } from './native.mjs';
import { camelCase, Info, Status } from './constants.mjs';

const nameOf = new Map(Object.entries(Status).map(([name, status]) => [status, name]));

/**
 * A failed call with all that is known of it. `message` is one sentence that says what to do.
 *
 * - `code`: "COSSLICE_E_EXISTS" and the like; `status`: its number, one of `Status`
 * - `serverCode`, `serverMessage`, `httpStatus`, `requestId`: of COS's reply, where there was one
 * - `osError`: errno of a local failure
 * - `retryable`: the same upload may well succeed later
 * - `resumeToken`: the option that lets another upload by `feed` or `stream` go on
 * - `cause`: the signer's error, or the reason of the signal that ended it (then `name` is "AbortError")
 */
export class CossliceError extends Error {
  name = 'CossliceError';

  constructor(status, message, { cause, ...details } = {}) {
    super(message || functions.cosslice_status_str(status), cause === undefined ? undefined : { cause });
    this.status = status;
    this.code = nameOf.has(status) ? `COSSLICE_E_${nameOf.get(status)}` : `COSSLICE_${status}`;
    Object.assign(this, { retryable: false }, details);
  }

  /** The failure of the call that `upload`, a handle of the library, has just made. */
  static of(upload, status) {
    const details = {};
    for (const name of ['SERVER_CODE', 'SERVER_MESSAGE', 'HTTP_STATUS', 'REQUEST_ID', 'OS_ERROR', 'RESUME_TOKEN']) {
      const value = read(upload, Info[name]);
      if (value !== undefined) details[camelCase(name)] = value;
    }
    details.retryable = read(upload, Info.RETRYABLE) === 1;
    return new CossliceError(status, read(upload, Info.MESSAGE), details);
  }
}

/** What is known of an upload, or undefined. */
export function read(upload, info) {
  if (info < 100) return functions.cosslice_upload_get_str(upload, info) || undefined;
  const value = Number(functions.cosslice_upload_get_i64(upload, info));
  return value === -1 ? undefined : value;
}
