// Upload large objects to Tencent COS through its v4 JSON slice API: a thin layer over libcosslice, by koffi.
import { camelCase, Info, LogLevel, Phase, Status } from './constants.mjs';
import { Config, text, unsigned } from './config.mjs';
import { CossliceError, read } from './error.mjs';
import { answer, cancel, newMailbox } from './mailbox.mjs';
import { addressOf, functions } from './native.mjs';
import { acquire, release } from './thread.mjs';

export { Config, CossliceError, Info, LogLevel, Phase, Status };

/** The version of the library that is loaded, such as "0.1.0". */
export const version = functions.cosslice_version();

// At the end of the program node waits for its threads: calls that are running must end.
const open = new Set();
process.on('exit', () => open.forEach((upload) => upload.cancel()));

/**
 * One upload of one object: `file`, `buffer` or `stream` for the whole of it; or, in pieces, `hash` (optional), `init`,
 * `seek` (optional), `feed`, `finish`. A failure is final: open another upload to go on, which continues where the server
 * stands if the content is known to be the same.
 *
 * The methods that return a promise run on a thread of the upload's own and leave the event loop alone; one at a time,
 * a second one is refused with `COSSLICE_E_BUSY`. They reject with a `CossliceError`.
 */
export class Upload {
  #handle;
  #thread;
  #config;
  #options;
  #mailbox = newMailbox();
  #closing = false;
  #canceled = false;
  #interrupt; // ends the wait for a source
  #running; // the promise of the call that is running
  #thrown; // what a listener threw during it
  #refusal; // what the signer threw during it
  #onAbort = () => this.cancel();

  /**
   * Opens an upload of the object `path`, such as "/dir/a b.txt", not encoded. Nothing is sent yet.
   *
   * - `onProgress({ phase, done, total })`: hears how far it is, after each slice and about ten times a second; `phase`
   *   is one of `Phase`, the others are bytes. If it throws, the upload ends and rejects with what it threw.
   * - `signal`: an AbortSignal that ends the upload within 250 ms.
   */
  static async open(config, path, { onProgress, signal } = {}) {
    text(path, 'the object path');
    const upload = new Upload();
    upload.#options = { onProgress, signal };
    const thread = await acquire();
    try {
      // The callbacks are this thread's, so they are set for this upload only. A config keeps none.
      const { handle, signer, log, logLevel } = config;
      upload.#config = { signer, log };
      const { callbacks } = thread;
      config.check(functions.cosslice_config_set_signer(handle, signer ? callbacks.sign : null, null, null));
      config.check(functions.cosslice_config_set_logger(handle, logLevel, log ? callbacks.log : null, null, null));
      const out = [null];
      config.check(functions.cosslice_upload_new(handle, path, out));
      upload.#handle = out[0];
      upload.#check(functions.cosslice_upload_set_progress(upload.#handle, callbacks.progress, null, null));
    } catch (error) {
      functions.cosslice_upload_free(upload.#handle ?? null);
      release(thread);
      throw error;
    }
    upload.#thread = thread;
    thread.onMessage = (message) => upload.#hear(message);
    open.add(upload);
    signal?.addEventListener('abort', upload.#onAbort);
    if (signal?.aborted) upload.cancel();
    return upload;
  }

  /** Uploads a local file. Gives the result, as `finish` does. */
  async file(path) {
    await this.#call('cosslice_upload_file', [text(path, 'the file path')]);
    return this.#result();
  }

  /**
   * Uploads a Buffer, another view or an ArrayBuffer from where it lies, without a copy. It must be neither changed nor
   * transferred until then. Gives the result, as `finish` does.
   */
  async buffer(data) {
    await this.#send('cosslice_upload_buffer', data);
    return this.#result();
  }

  /**
   * Uploads what a stream, or any async iterable of views or strings, yields: exactly `size` bytes. Gives the result, as
   * `finish` does.
   */
  async stream(source, size) {
    const iterator = source[Symbol.asyncIterator]?.() ?? source[Symbol.iterator]();
    try {
      await this.init(size);
      for (;;) {
        // A source may be silent for ever, so cancel ends this wait too.
        const { done, value } = await new Promise((resolve, reject) => {
          this.#interrupt = () => reject(new CossliceError(Status.CANCELED));
          if (this.#canceled) this.#interrupt();
          Promise.resolve(iterator.next()).then(resolve, reject);
        });
        this.#interrupt = undefined;
        if (done) break;
        await this.feed(typeof value === 'string' ? Buffer.from(value) : value);
      }
    } catch (error) {
      this.#interrupt = undefined;
      Promise.resolve(iterator.return?.()).catch(() => {}); // not awaited: it may wait for what never comes
      // A signal often ends the source as well; it does not matter who is first.
      if (this.#options.signal?.aborted && error.name !== 'AbortError') throw this.#aborted();
      throw error;
    }
    return this.finish();
  }

  /** Takes the next bytes of an optional first pass over the content, before `init`. Sends nothing. */
  hash(data) {
    return this.#send('cosslice_upload_hash', data);
  }

  /** Opens an upload of `size` bytes, or continues one. Afterwards `nextOffset` is what the server lacks first. */
  async init(size) {
    return this.#call('cosslice_upload_init', [unsigned(size, 'the size')]);
  }

  /** Says that the next `feed` begins at `offset`, which is at most `nextOffset`. */
  async seek(offset) {
    return this.#call('cosslice_upload_seek', [unsigned(offset, 'the offset')]);
  }

  /** Takes the next bytes, as many as there are; when the promise is fulfilled they are copied. */
  feed(data) {
    return this.#send('cosslice_upload_feed', data);
  }

  /**
   * Waits for the slices on their way and puts the object together. Gives `accessUrl`, `sourceUrl`, `resourcePath`, `url`,
   * `previewUrl` and `vid` where COS said so, `sha1` where it is known, `bytesTotal`, `bytesResumed`, `retries`,
   * `instant` and `verified`.
   */
  async finish() {
    await this.#call('cosslice_upload_finish', []);
    return this.#result();
  }

  /** Ends the call that is running, or the next one, within 250 ms. What the server has stays there. */
  cancel() {
    if (this.#handle === undefined) return;
    functions.cosslice_upload_cancel(this.#handle);
    cancel(this.#mailbox);
    this.#canceled = true;
    this.#interrupt?.();
  }

  /** Ends the upload and gives its thread back. Every upload wants to be closed. Closing again does nothing. */
  async close() {
    if (this.#closing || this.#handle === undefined) return;
    this.#closing = true;
    this.cancel();
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    await this.#running?.catch(() => {});
    const [handle, thread] = [this.#handle, this.#thread];
    this.#handle = undefined;
    await thread.call('cosslice_upload_free', handle, []).catch(() => {});
    open.delete(this);
    release(thread);
  }

  [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    return this.close();
  }

  /** What `Info` says of it: a number at any time, a text while no call is running; undefined when it is not known. */
  get(info) {
    // A text is the library's until the next call, which the other thread may be about to begin.
    if (this.#handle === undefined || (info < 100 && this.#running)) return undefined;
    return read(this.#handle, info);
  }

  /** Bytes acknowledged by COS so far. */
  get bytesDone() {
    return this.get(Info.BYTES_DONE);
  }

  /** After `init`: the first byte that the server lacks, where a caller that can seek goes on. */
  get nextOffset() {
    return this.get(Info.NEXT_OFFSET);
  }

  /** The option `resumeToken` that lets another upload by `feed` or `stream` continue this one. */
  get resumeToken() {
    return this.get(Info.RESUME_TOKEN);
  }

  async #send(name, data) {
    const view = viewOf(data);
    await this.#call(name, [addressOf(view), view.byteLength]);
    void view.byteLength; // the memory is used until here
  }

  async #call(name, args) {
    if (this.#closing) throw new CossliceError(Status.STATE, 'the upload is closed');
    if (this.#running) throw new CossliceError(Status.BUSY, 'another call on the upload is running');
    this.#thrown = this.#refusal = undefined;
    const running = this.#thread.call(name, this.#handle, args, this.#mailbox).then((status) => {
      if (this.#thrown) throw this.#thrown.error;
      this.#check(status);
    });
    this.#running = running;
    try {
      await running;
    } finally {
      this.#running = undefined;
    }
  }

  #check(status) {
    if (status === Status.OK) return;
    const error = CossliceError.of(this.#handle, status);
    if (error.status === Status.CANCELED && this.#options.signal?.aborted) throw this.#aborted(error);
    if (this.#refusal) error.cause = this.#refusal.error;
    throw error;
  }

  #aborted(error = new CossliceError(Status.CANCELED)) {
    error.name = 'AbortError';
    error.cause = this.#options.signal.reason;
    return error;
  }

  // What the callbacks pass on from the upload's thread.
  #hear(message) {
    try {
      if (message.type === 'progress') {
        const { phase, done, total } = message;
        this.#options.onProgress?.({ phase, done, total });
      } else if (message.type === 'log') {
        this.#config.log(message.level, message.message);
      } else {
        void this.#sign(message.wanted);
      }
    } catch (error) {
      this.#thrown ??= { error };
      this.cancel();
    }
  }

  async #sign(wanted) {
    try {
      answer(this.#mailbox, text(await this.#config.signer(wanted), 'the signature'));
    } catch (error) {
      this.#refusal ??= { error };
      answer(this.#mailbox);
    }
  }

  #result() {
    const result = {};
    for (const name of ['ACCESS_URL', 'SOURCE_URL', 'RESOURCE_PATH', 'URL', 'PREVIEW_URL', 'VID', 'SHA1', 'BYTES_TOTAL', 'BYTES_RESUMED', 'RETRIES']) {
      const value = this.get(Info[name]);
      if (value !== undefined) result[camelCase(name)] = value;
    }
    result.instant = this.get(Info.INSTANT) === 1;
    result.verified = this.get(Info.VERIFIED) === 1;
    return result;
  }
}

function viewOf(data) {
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (data instanceof ArrayBuffer || data instanceof SharedArrayBuffer) return new Uint8Array(data);
  throw new TypeError('the data must be a Buffer, another view or an ArrayBuffer');
}
