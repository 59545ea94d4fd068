// The thread that is inside the calls of one upload. Callbacks run here, in the middle of a call, and pass on to the main
// thread what they hear; a signer makes this thread wait for the main thread's answer.
import { parentPort } from 'node:worker_threads';
import { camelCase, SignField } from './constants.mjs';
import { functions, register, write } from './native.mjs';
import { ANSWERED, BYTES, CANCELED, LENGTH, STATE, WAITING } from './mailbox.mjs';

let mailbox; // of the upload that this thread works for
let kept; // a signature that C had too little room for

function sign(_user, request, out, room) {
  const signature = kept ?? ask(request);
  kept = undefined;
  if (signature.length >= Number(room)) {
    kept = signature; // C comes again with more room
  } else if (signature.length > 0) {
    write(out, Buffer.concat([signature, Buffer.of(0)]));
  }
  return signature.length;
}

function ask(request) {
  const words = new Int32Array(mailbox, 0, BYTES / 4);
  Atomics.store(words, STATE, WAITING);
  if (Atomics.load(words, CANCELED)) return Buffer.alloc(0);
  const wanted = {};
  for (const [name, number] of Object.entries(SignField)) {
    wanted[camelCase(name)] =
      number < 100
        ? functions.cosslice_sign_get_str(request, number)
        : Number(functions.cosslice_sign_get_u64(request, number));
  }
  parentPort.postMessage({ type: 'sign', wanted });
  Atomics.wait(words, STATE, WAITING);
  if (Atomics.load(words, STATE) !== ANSWERED) return Buffer.alloc(0);
  return Buffer.from(new Uint8Array(mailbox, BYTES, words[LENGTH])); // a copy
}

const callbacks = {
  sign: register(sign, 'cosslice_sign_fn'),
  progress: register((_user, phase, done, total) => {
    parentPort.postMessage({ type: 'progress', phase, done: Number(done), total: Number(total) });
    return 0; // the main thread cancels by itself
  }, 'cosslice_progress_fn'),
  log: register((_user, level, message) => parentPort.postMessage({ type: 'log', level, message }), 'cosslice_log_fn'),
};

parentPort.on('message', ({ name, upload, args, mailbox: own }) => {
  if (own) mailbox = own;
  kept = undefined;
  parentPort.postMessage({ type: 'done', result: functions[name](upload, ...args) });
});
parentPort.postMessage({ type: 'ready', callbacks });
