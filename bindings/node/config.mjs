import { functions } from './native.mjs';
import { camelCase, LogLevel, Option, Status } from './constants.mjs';
import { CossliceError } from './error.mjs';

const optionOf = new Map(Object.entries(Option).map(([name, number]) => [camelCase(name), number]));
const forgotten = new FinalizationRegistry((handle) => functions.cosslice_config_free(handle));

/**
 * Where uploads go, who signs them and how they behave. Uploads copy it when they are opened and share its connections.
 *
 * The options are those of cosslice.h in camelCase: `appId`, `bucket`, `region` or `endpoint`, `secretId`, `secretKey`,
 * `inFlight`, `retries`, `ioTimeoutMs`, `overwrite` and so on; switches such as `hash` and `resume` are booleans. And:
 *
 * - `signer(request)`: signs instead of a key pair; may be async. `request` has `op`, `appId`, `bucket`, `path`, `fileId`,
 *   `expiresAtS` and `nowS`. What it throws is the `cause` of the upload's error.
 * - `log(level, line)`: gets log lines up to `logLevel` (default `LogLevel.INFO`); they hold no secret.
 */
export class Config {
  #handle;
  signer;
  log;
  logLevel = LogLevel.INFO;

  constructor(options = {}) {
    const out = [null];
    const status = functions.cosslice_config_new(out);
    if (status !== Status.OK) throw new CossliceError(status);
    this.#handle = out[0];
    forgotten.register(this, this.#handle, this);
    try {
      this.set(options);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Changes options for uploads opened from now on. An option that is undefined is left as it is. */
  set({ signer = this.signer, log = this.log, logLevel = this.logLevel, ...options }) {
    for (const [name, listener] of Object.entries({ signer, log })) {
      if (listener !== undefined && listener !== null && typeof listener !== 'function') {
        throw new TypeError(`${name} must be a function`);
      }
    }
    if (!Object.values(LogLevel).includes(logLevel)) throw new RangeError('logLevel must be one of LogLevel');
    for (const [name, value] of Object.entries(options)) {
      if (!optionOf.has(name)) throw new TypeError(`there is no option ${name}`);
      if (value === undefined) continue;
      const option = optionOf.get(name);
      this.check(
        option < 100
          ? functions.cosslice_config_set_str(this.handle, option, text(value, name))
          : functions.cosslice_config_set_u64(this.handle, option, unsigned(value, name)),
      );
    }
    Object.assign(this, { signer: signer ?? undefined, log: log ?? undefined, logLevel });
  }

  /**
   * A signature for the object `path` by the config's key pair, for the server that signs for others. A path that ends
   * with "/" covers everything below it, "" the whole bucket. 0 makes a one-time signature. Does not block.
   */
  sign(path, expiresAtS = 0) {
    const length = [0];
    for (let room = Buffer.alloc(1024); ; room = Buffer.alloc(Number(length[0]) + 1)) {
      const status = functions.cosslice_config_sign(
        this.handle, text(path, 'the object path'), unsigned(expiresAtS, 'expiresAtS'), room, room.length, length,
      );
      if (status === Status.OK || Number(length[0]) < room.length) {
        this.check(status);
        return room.toString('ascii', 0, Number(length[0]));
      }
    }
  }

  /** Frees the config; its uploads go on. Closing again does nothing. */
  close() {
    if (this.#handle === undefined) return;
    forgotten.unregister(this);
    functions.cosslice_config_free(this.#handle);
    this.#handle = undefined;
  }

  /** The library's handle. */
  get handle() {
    if (this.#handle === undefined) throw new CossliceError(Status.STATE, 'the config is closed');
    return this.#handle;
  }

  /** Throws unless the call on this config went well. */
  check(status) {
    if (status !== Status.OK) throw new CossliceError(status, functions.cosslice_config_message(this.handle));
  }
}

/** A text that C can have. */
export function text(value, what) {
  if (typeof value !== 'string') throw new TypeError(`${what} must be a string`);
  if (value.includes('\0')) throw new CossliceError(Status.INVALID_ARG, `${what} contains a NUL character`);
  if (!value.isWellFormed()) throw new CossliceError(Status.INVALID_ARG, `${what} is not valid Unicode`);
  return value;
}

/** 64 bits without a sign, from a boolean, a number or a bigint. */
export function unsigned(value, what) {
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value !== 'bigint' && typeof value !== 'number') throw new TypeError(`${what} must be a number`);
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw new CossliceError(Status.INVALID_ARG, `${what} is no whole number`);
  }
  if (value < 0 || value >= 2n ** 64n) throw new CossliceError(Status.INVALID_ARG, `${what} is out of range`);
  return value;
}
