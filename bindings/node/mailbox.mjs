// Where the main thread leaves a signature for an upload's thread: three words and the bytes after them.

export const STATE = 0;
export const LENGTH = 1;
export const CANCELED = 2;
export const BYTES = 16;

export const WAITING = 1;
export const ANSWERED = 2;
export const REFUSED = 3;

const ROOM = 16 * 1024; // more than the library takes

export const newMailbox = () => new SharedArrayBuffer(BYTES + ROOM);

/** Answers with a signature; without one, refuses. */
export function answer(mailbox, signature = '') {
  const bytes = Buffer.from(signature);
  if (bytes.length > ROOM) throw new RangeError('the signature is longer than 16 KiB');
  const words = new Int32Array(mailbox, 0, BYTES / 4);
  new Uint8Array(mailbox, BYTES).set(bytes);
  words[LENGTH] = bytes.length;
  // A canceled upload stays refused, however late its signer answers.
  Atomics.compareExchange(words, STATE, WAITING, bytes.length > 0 ? ANSWERED : REFUSED);
  Atomics.notify(words, STATE);
}

/** Lets the thread wait for no signature, neither now nor later. */
export function cancel(mailbox) {
  const words = new Int32Array(mailbox, 0, BYTES / 4);
  Atomics.store(words, CANCELED, 1);
  Atomics.store(words, STATE, REFUSED);
  Atomics.notify(words, STATE);
}
