package com.cosslice;

import static com.cosslice.Bytes.MIB;
import static com.cosslice.Check.bytes;
import static com.cosslice.Check.same;
import static com.cosslice.Check.test;
import static com.cosslice.Check.that;
import static com.cosslice.Check.thrown;

import java.io.ByteArrayInputStream;
import java.io.File;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;

/** Cancel, close, and what may be done when. */
final class EndingTests {
    /** 250 ms are promised; the rest is for a machine that is busy with other tests. */
    private static final long PROMPT_MS = 250 + 2000;

    private static final String STALL = "{\"op\": \"upload_slice_data\", \"do\": \"stall\"}";

    private EndingTests() {}

    /** An upload that waits for a server that does not answer, on a thread of its own. */
    private static final class Waiting {
        final Upload upload;
        final AtomicReference<Throwable> thrown = new AtomicReference<>();
        volatile boolean interrupted;
        private final CountDownLatch waiting = new CountDownLatch(1);
        final Thread thread;

        Waiting(Config config, String name, byte[] content) throws Exception {
            Emulator.faults(STALL);
            upload = new Upload(config, name);
            // The second call of the phase comes while it waits.
            upload.setProgressListener((phase, done, total) -> {
                if (phase == Phase.SENDING) {
                    waiting.countDown();
                }
            });
            thread = new Thread(() -> {
                try {
                    upload.buffer(content);
                } catch (Throwable e) {
                    thrown.set(e);
                }
                interrupted = Thread.currentThread().isInterrupted();
            });
            thread.start();
            waiting.await();
        }

        /** How long it takes to end. */
        void ends(Runnable how, Class<?> kind) throws Exception {
            long start = System.nanoTime();
            how.run();
            thread.join(60_000);
            long took = (System.nanoTime() - start) / 1_000_000;
            that(!thread.isAlive(), "it ends");
            that(thrown.get() != null && thrown.get().getClass() == kind, "thrown " + thrown.get());
            that(took < PROMPT_MS, "it took " + took + " ms");
        }
    }

    static void run() {
        test("cancel from another thread, and go on", () -> {
            byte[] content = Bytes.random(4 * MIB, 41);
            String name = Emulator.name();
            try (Config config = Emulator.builder().build()) {
                Waiting waiting = new Waiting(config, name, content);
                waiting.ends(waiting.upload::cancel, CanceledException.class);
                thrown(StateException.class, () -> waiting.upload.buffer(content));
                waiting.upload.close();
                Emulator.calm();
                try (Upload upload = new Upload(config, name)) {
                    upload.buffer(content);
                }
                bytes(content, Emulator.fetch(name), "the object");
            }
        });
        test("cancel before the call", () -> {
            try (Config config = Emulator.builder().build();
                    Upload upload = new Upload(config, Emulator.name())) {
                upload.cancel();
                thrown(CanceledException.class, () -> upload.buffer(new byte[5]));
            }
        });
        test("an interrupt ends a call, and stays", () -> {
            try (Config config = Emulator.builder().build()) {
                Waiting waiting = new Waiting(config, Emulator.name(), Bytes.random(4 * MIB, 42));
                waiting.ends(waiting.thread::interrupt, CanceledException.class);
                that(waiting.interrupted, "the thread is still interrupted");
                waiting.upload.close();
            }
        });
        test("an interrupt while a channel is read", () -> {
            File file = Bytes.file(Bytes.random(2 * MIB, 43), "interrupted");
            try (Config config = Emulator.builder().build();
                    Upload upload = new Upload(config, Emulator.name());
                    FileChannel channel = FileChannel.open(file.toPath())) {
                Thread.currentThread().interrupt();
                thrown(CanceledException.class, () -> upload.file(channel));
                that(Thread.interrupted(), "the thread is still interrupted");
            }
        });
        test("close from another thread frees when the call ends", () -> {
            int before = Handle.live();
            try (Config config = Emulator.builder().build()) {
                Waiting waiting = new Waiting(config, Emulator.name(), Bytes.random(4 * MIB, 44));
                waiting.ends(waiting.upload::close, CanceledException.class);
                same(before + 1, Handle.live(), "handles");
                thrown(StateException.class, () -> waiting.upload.init(1));
            }
            same(before, Handle.live(), "handles");
        });
        test("a second thread is refused and changes nothing", () -> {
            byte[] content = Bytes.random(4 * MIB, 45);
            try (Config config = Emulator.builder().build()) {
                Waiting waiting = new Waiting(config, Emulator.name(), content);
                Upload upload = waiting.upload;
                same(Status.E_BUSY, thrown(BusyException.class, () -> upload.init(1)).getStatus(), "status");
                thrown(BusyException.class, () -> upload.seek(0));
                thrown(BusyException.class, () -> upload.feed(content));
                thrown(BusyException.class, () -> upload.hash(ByteBuffer.allocateDirect(5)));
                thrown(BusyException.class, () -> upload.finish());
                thrown(BusyException.class, () -> upload.file("/etc/hostname"));
                thrown(BusyException.class, () -> upload.buffer(content));
                thrown(BusyException.class, () -> upload.stream(new ByteArrayInputStream(content), 1));
                same("", upload.getMessage(), "texts while a call is running");
                same((long) content.length, upload.getBytesTotal(), "numbers while a call is running");
                same(Phase.SENDING, upload.getPhase(), "phase");
                waiting.ends(upload::cancel, CanceledException.class);
                upload.close();
            }
        });
        test("use after close, and closing twice", () -> {
            byte[] content = Bytes.random(2 * MIB, 46);
            String name = Emulator.name();
            try (Config config = Emulator.builder().build()) {
                Upload upload = new Upload(config, name);
                upload.buffer(content);
                String url = upload.getAccessUrl();
                upload.close();
                upload.close();
                upload.cancel();
                same(Status.E_STATE, thrown(StateException.class, () -> upload.init(1)).getStatus(), "status");
                thrown(StateException.class, () -> upload.seek(0));
                thrown(StateException.class, () -> upload.feed(content));
                thrown(StateException.class, () -> upload.feed(Bytes.direct(content)));
                thrown(StateException.class, () -> upload.hash(content));
                thrown(StateException.class, () -> upload.finish());
                thrown(StateException.class, () -> upload.file("/etc/hostname"));
                thrown(StateException.class, () -> upload.buffer(content));
                thrown(StateException.class, () -> upload.stream(new ByteArrayInputStream(content), 1));
                that(!url.isEmpty(), "url");
                same(url, upload.getAccessUrl(), "url after close");
                same((long) content.length, upload.getBytesDone(), "done after close");
                same(Phase.DONE, upload.getPhase(), "phase after close");
                that(upload.isVerified(), "verified after close");
                upload.setProgressListener(null);
            }
        });
        test("a failure can be read after close", () -> {
            try (Config config = Emulator.builder().build()) {
                Upload upload = new Upload(config, Emulator.name());
                CossliceException e = thrown(FileException.class, () -> upload.file("/does/not/exist"));
                upload.close();
                same(e.getMessage(), upload.getMessage(), "message");
            }
        });
        test("a config that is closed; its uploads go on", () -> {
            byte[] content = Bytes.random(2 * MIB, 47);
            String name = Emulator.name();
            Config config = Emulator.builder().build();
            try (Upload upload = new Upload(config, name)) {
                config.close();
                config.close();
                thrown(StateException.class, () -> new Upload(config, name));
                thrown(StateException.class, () -> config.sign("/a", 0));
                upload.buffer(content);
            }
            bytes(content, Emulator.fetch(name), "the object");
        });
        test("many threads close, cancel and read at once", () -> {
            int before = Handle.live();
            try (Config config = Emulator.builder().build()) {
                for (int round = 0; round < 100; round++) {
                    Upload upload = new Upload(config, Emulator.name());
                    AtomicReference<Throwable> wrong = new AtomicReference<>();
                    Runnable[] all = {
                        upload::close,
                        upload::cancel,
                        upload::close,
                        () -> upload.getMessage().length(),
                        () -> that(upload.getBytesDone() <= 5, "done"),
                        () -> {
                            try {
                                upload.buffer(new byte[5]);
                            } catch (CanceledException | StateException | BusyException e) {
                                // the others were first
                            } catch (Throwable e) {
                                wrong.set(e);
                            }
                        },
                    };
                    Thread[] threads = new Thread[all.length];
                    for (int i = 0; i < all.length; i++) {
                        threads[i] = new Thread(all[i]);
                        threads[i].start();
                    }
                    for (Thread thread : threads) {
                        thread.join();
                    }
                    if (wrong.get() != null) {
                        throw wrong.get();
                    }
                }
            }
            same(before, Handle.live(), "handles");
        });
    }
}
