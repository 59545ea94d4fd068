package com.cosslice;

import static com.cosslice.Check.same;
import static com.cosslice.Check.test;
import static com.cosslice.Check.that;

import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.concurrent.TimeUnit;

/** Nothing native is left behind. */
final class LeakTests {
    /** One for all, so that what grows is not the heap. */
    private static final byte[] CONTENT = new byte[100_000];

    /** So that a config that is left is seen. */
    private static final String ATTRIBUTE = new String(new char[2000]).replace('\0', 'a');

    private LeakTests() {}

    private static long residentKib() throws Exception {
        for (String line : Files.readAllLines(Paths.get("/proc/self/status"))) {
            if (line.startsWith("VmRSS:")) {
                return Long.parseLong(line.replaceAll("\\D", ""));
            }
        }
        throw new AssertionError("no VmRSS");
    }

    private static void round(boolean close) throws Exception {
        Config config = Emulator.builder()
                .signer(request -> "x")
                .logger((level, line) -> {}, LogLevel.DEBUG)
                .bizAttr(ATTRIBUTE)
                .build();
        Upload upload = new Upload(config, "/leak");
        upload.setProgressListener((phase, done, total) -> Check.same("/leak", upload.getPath(), "path"));
        upload.hash(CONTENT);
        if (close) {
            upload.close();
            config.close();
        }
    }

    static void run() {
        test("thousands of uploads and configs", () -> {
            int before = Handle.live();
            for (int i = 0; i < 1000; i++) {
                round(true);
            }
            long start = residentKib();
            for (int i = 0; i < 10_000; i++) {
                round(true);
            }
            same(before, Handle.live(), "handles");
            long grown = residentKib() - start;
            // An upload or config that is not freed has some KiB.
            that(grown < 10 * 1024, "it grew by " + grown + " KiB");
        });
        test("thousands that nobody closed", () -> {
            int before = Handle.live();
            for (int i = 0; i < 3000; i++) {
                round(false);
            }
            for (int tries = 0; tries < 100 && Handle.live() > before; tries++) {
                System.gc();
                TimeUnit.MILLISECONDS.sleep(20); // the collector tells it when it likes to
                Handle.freeGarbage();
            }
            that(Handle.live() <= before, Handle.live() - before + " handles are left");
        });
        test("uploads that fail or end, under a busy collector", () -> {
            int before = Handle.live();
            Thread collector = new Thread(() -> {
                while (!Thread.currentThread().isInterrupted()) {
                    byte[][] garbage = new byte[64][];
                    for (int i = 0; i < garbage.length; i++) {
                        garbage[i] = new byte[65536];
                    }
                    System.gc();
                }
            });
            collector.start();
            try (Config config = Emulator.builder().overwrite(Overwrite.UNFINISHED).build()) {
                for (int i = 0; i < 60; i++) {
                    byte[] content = Bytes.random(300_000 + i, 61);
                    String name = Emulator.name();
                    try (Upload upload = new Upload(config, name)) {
                        upload.setProgressListener((phase, done, total) -> new String("garbage"));
                        upload.init(content.length);
                        upload.feed(content);
                        upload.finish();
                    }
                    Check.bytes(content, Emulator.fetch(name), "the object");
                }
            } finally {
                collector.interrupt();
                collector.join();
            }
            same(before, Handle.live(), "handles");
        });
    }
}
