// Threads for uploads. A call of the library blocks for as long as an upload takes, and its callbacks run inside it. In
// libuv's own pool four such calls would leave no thread for files and name lookups, and a signer could not be waited for.
import { Worker } from 'node:worker_threads';

const IDLE_AT_MOST = 4;
const idle = [];

/** A thread to be given back with `release`. */
export async function acquire() {
  while (idle.length > 0) {
    const thread = idle.pop();
    if (!thread.broken) return thread;
  }
  return new Thread().ready;
}

export function release(thread) {
  thread.onMessage = undefined;
  if (thread.broken || idle.length >= IDLE_AT_MOST) thread.end();
  else idle.push(thread);
}

class Thread {
  // Without the program's own flags: some of them, such as --input-type, are for the main thread only.
  #worker = new Worker(new URL('./worker.mjs', import.meta.url), { execArgv: [] });
  #settle = withResolvers();
  broken = false;
  /** Gets what callbacks pass on during a call. */
  onMessage;

  constructor() {
    this.ready = this.#settle.promise.then((message) => {
      this.callbacks = message.callbacks;
      this.#worker.unref(); // an idle thread does not keep the program running
      return this;
    });
    this.#worker.on('message', (message) => {
      if (message.type === 'ready' || message.type === 'done') this.#settle.resolve(message);
      else this.onMessage?.(message);
    });
    this.#worker.on('error', (error) => {
      this.broken = true;
      this.#settle.reject(error);
    });
    this.#worker.on('exit', () => {
      this.broken = true;
      this.#settle.reject(new Error('the thread of an upload ended'));
    });
  }

  /** Runs a function of the library. One at a time. */
  async call(name, upload, args, mailbox) {
    if (this.broken) throw new Error('the thread of the upload ended');
    this.#settle = withResolvers();
    this.#worker.ref();
    this.#worker.postMessage({ name, upload, args, mailbox });
    try {
      return (await this.#settle.promise).result;
    } finally {
      this.#worker.unref();
    }
  }

  end() {
    void this.#worker.terminate();
  }
}

function withResolvers() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}
