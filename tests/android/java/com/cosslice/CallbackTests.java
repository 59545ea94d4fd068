package com.cosslice;

import static com.cosslice.Bytes.MIB;
import static com.cosslice.Check.bytes;
import static com.cosslice.Check.same;
import static com.cosslice.Check.test;
import static com.cosslice.Check.that;
import static com.cosslice.Check.thrown;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;

/** Progress, signer and logger. */
final class CallbackTests {
    private CallbackTests() {}

    /** A config that signs by asking another one, as an app asks its server. */
    private static Config asking(Signer signer) throws CossliceException {
        return Emulator.unsigned().signer(signer).retries(1).build();
    }

    static void run() {
        test("progress goes up, on the calling thread, to the end", () -> {
            byte[] content = Bytes.random(6 * MIB, 21);
            try (Config config = Emulator.builder().build();
                    Upload upload = new Upload(config, Emulator.name())) {
                Thread caller = Thread.currentThread();
                Set<Phase> phases = EnumSet.noneOf(Phase.class);
                long[] last = {0, 0, 0};
                upload.setProgressListener((phase, done, total) -> {
                    same(caller, Thread.currentThread(), "thread");
                    that(phase.code > last[0] || done >= last[1], "goes up");
                    that(phase.code >= last[0], "phases in order");
                    same((long) content.length, total, "total");
                    phases.add(phase);
                    last[0] = phase.code;
                    last[1] = done;
                    last[2]++;
                });
                upload.buffer(Bytes.direct(content));
                that(phases.containsAll(EnumSet.of(Phase.HASHING, Phase.SENDING, Phase.DONE)), "phases " + phases);
                same((long) content.length, last[1], "done in the end");
                that(last[2] >= 6, "called for each slice");
            }
        });
        test("what a listener throws comes out unchanged", () -> {
            byte[] content = Bytes.random(3 * MIB, 22);
            try (Config config = Emulator.builder().build()) {
                for (Throwable own : new Throwable[] {new IllegalStateException("mine"), new StackOverflowError()}) {
                    AtomicInteger calls = new AtomicInteger();
                    String name = Emulator.name();
                    try (Upload upload = new Upload(config, name)) {
                        upload.setProgressListener((phase, done, total) -> {
                            calls.incrementAndGet();
                            CallbackTests.<RuntimeException>sneak(own);
                        });
                        same(own, thrown(own.getClass(), () -> upload.buffer(content)), "thrown");
                        same(1, calls.get(), "calls after a throw");
                    }
                    try (Upload upload = new Upload(config, name)) {
                        upload.buffer(content);
                    }
                    bytes(content, Emulator.fetch(name), "the object");
                }
            }
        });
        test("a signer is asked for what it should know", () -> {
            byte[] content = Bytes.random(2 * MIB, 23);
            String name = "/签 😀/" + Emulator.name().substring(9);
            List<SignRequest> asked = Collections.synchronizedList(new ArrayList<>());
            Thread caller = Thread.currentThread();
            try (Config server = Emulator.builder().build();
                    Config config = asking(request -> {
                        same(caller, Thread.currentThread(), "thread");
                        asked.add(request);
                        return server.sign(request.getPath(), request.getExpiresAtSeconds());
                    });
                    Upload upload = new Upload(config, name)) {
                upload.buffer(content);
            }
            bytes(content, Emulator.fetch(name), "the object");
            SignRequest request = asked.get(0);
            same("1250000000", request.getAppId(), "app id");
            same("bkt", request.getBucket(), "bucket");
            same(name, request.getPath(), "path");
            that(request.getFileId().startsWith("/1250000000/bkt/%E7%AD%BE%20%F0%9F%98%80/"), request.getFileId());
            that(request.getOp().startsWith("upload"), request.getOp());
            long now = System.currentTimeMillis() / 1000;
            that(Math.abs(request.getNowSeconds() - now) < 100, "now");
            same(request.getNowSeconds() + 900, request.getExpiresAtSeconds(), "until");
        });
        test("what a signer throws comes out unchanged", () -> {
            IOException own = new IOException("no network");
            try (Config config = asking(request -> { throw own; });
                    Upload upload = new Upload(config, Emulator.name())) {
                same(own, thrown(IOException.class, () -> upload.buffer(Bytes.random(2 * MIB, 24))), "thrown");
            }
        });
        test("a signer that refuses, or answers nonsense", () -> {
            char[] many = new char[20_000];
            java.util.Arrays.fill(many, 'a');
            for (String answer : new String[] {null, "", "nonsense", "钥匙", "a\nb", new String(many)}) {
                try (Config config = asking(request -> answer);
                        Upload upload = new Upload(config, Emulator.name())) {
                    AuthException e = thrown(AuthException.class, () -> upload.init(5));
                    same(Status.E_AUTH, e.getStatus(), "status");
                    that(!e.getMessage().contains("aaaa"), "no signature in the message");
                }
            }
        });
        test("a long signature is asked for once", () -> {
            char[] many = new char[6000];
            java.util.Arrays.fill(many, 'a');
            AtomicInteger calls = new AtomicInteger();
            AtomicInteger asked = new AtomicInteger();
            for (String answer : new String[] {"short", new String(many)}) {
                calls.set(0);
                try (Config config = asking(request -> {
                            calls.incrementAndGet();
                            return answer;
                        });
                        Upload upload = new Upload(config, Emulator.name())) {
                    thrown(AuthException.class, () -> upload.init(5));
                }
                if (answer.length() == 5) {
                    asked.set(calls.get());
                }
            }
            same(asked.get(), calls.get(), "calls");
        });
        test("log lines, without secrets", () -> {
            List<String> lines = new ArrayList<>();
            Set<LogLevel> levels = EnumSet.noneOf(LogLevel.class);
            try (Config config = Emulator.builder()
                            .logger((level, message) -> {
                                levels.add(level);
                                lines.add(message);
                            }, LogLevel.DEBUG)
                            .build();
                    Upload upload = new Upload(config, "/日志 😀")) {
                upload.buffer(Bytes.random(2 * MIB, 25));
            }
            that(levels.containsAll(EnumSet.of(LogLevel.INFO, LogLevel.DEBUG)), "levels " + levels);
            that(String.join("\n", lines).contains("upload_slice"), "lines " + lines);
            that(!String.join("\n", lines).contains(Emulator.SECRET_KEY), "the key");
        });
        test("many callbacks in one call leave no references", () -> {
            AtomicInteger lines = new AtomicInteger();
            try (Config config = Emulator.builder()
                            .logger((level, message) -> lines.incrementAndGet(), LogLevel.DEBUG)
                            .build();
                    Upload upload = new Upload(config, Emulator.name())) {
                upload.buffer(Bytes.direct(Bytes.random(80 * MIB, 32)));
            }
            that(lines.get() > 80, "lines " + lines); // the JNI checker complains of some 50 references
        });
        test("what a logger throws comes out unchanged", () -> {
            IllegalArgumentException own = new IllegalArgumentException("mine");
            try (Config config = Emulator.builder()
                            .logger((level, message) -> { throw own; }, LogLevel.DEBUG)
                            .build()) {
                int before = Handle.live();
                same(own, thrown(IllegalArgumentException.class, () -> {
                    try (Upload upload = new Upload(config, Emulator.name())) {
                        upload.buffer(Bytes.random(2 * MIB, 26));
                    }
                }), "thrown");
                same(before, Handle.live(), "handles");
            }
        });
        test("a callback uses another upload, not its own", () -> {
            byte[] outer = Bytes.random(3 * MIB, 27);
            byte[] inner = Bytes.random(2 * MIB, 28);
            String outerName = Emulator.name();
            String innerName = Emulator.name();
            List<String> heard = new ArrayList<>();
            try (Config server = Emulator.builder().build();
                    Config config = asking(request -> {
                        heard.add("signed " + request.getPath());
                        return server.sign(request.getPath(), request.getExpiresAtSeconds());
                    });
                    Upload upload = new Upload(config, outerName)) {
                AtomicInteger count = new AtomicInteger();
                upload.setProgressListener((phase, done, total) -> {
                    same((long) outer.length, total, "whose progress");
                    if (count.getAndIncrement() > 0) {
                        return;
                    }
                    try (Upload other = new Upload(config, innerName)) {
                        thrown(BusyException.class, () -> upload.feed(inner));
                        other.setProgressListener((p, d, t) -> same((long) inner.length, t, "whose progress"));
                        other.buffer(inner);
                    } catch (IOException e) {
                        throw new IllegalStateException(e);
                    }
                });
                upload.buffer(Bytes.direct(outer));
            }
            that(heard.contains("signed " + innerName) && heard.contains("signed " + outerName), "signed " + heard);
            bytes(outer, Emulator.fetch(outerName), "the outer object");
            bytes(inner, Emulator.fetch(innerName), "the inner object");
        });
        test("two threads with one config hear their own", () -> {
            AtomicReference<Throwable> wrong = new AtomicReference<>();
            try (Config server = Emulator.builder().build();
                    Config config = asking(request -> {
                        same(Thread.currentThread().getName(), request.getPath(), "whose signature");
                        return server.sign(request.getPath(), request.getExpiresAtSeconds());
                    })) {
                Thread[] threads = new Thread[4];
                for (int i = 0; i < threads.length; i++) {
                    byte[] content = Bytes.random(2 * MIB + i, 29);
                    threads[i] = new Thread(() -> {
                        try (Upload upload = new Upload(config, Thread.currentThread().getName())) {
                            upload.setProgressListener((phase, done, total) ->
                                    same((long) content.length, total, "whose progress"));
                            upload.buffer(content);
                        } catch (Throwable e) {
                            wrong.set(e);
                        }
                    }, Emulator.name());
                }
                for (Thread thread : threads) {
                    thread.start();
                }
                for (Thread thread : threads) {
                    thread.join();
                }
            }
            if (wrong.get() != null) {
                throw wrong.get();
            }
        });
        test("a listener that closes its upload", () -> {
            int before = Handle.live();
            try (Config config = Emulator.builder().build()) {
                Upload upload = new Upload(config, Emulator.name());
                upload.setProgressListener((phase, done, total) -> upload.close());
                thrown(CanceledException.class, () -> upload.buffer(Bytes.random(3 * MIB, 30)));
                thrown(StateException.class, () -> upload.init(1));
            }
            same(before, Handle.live(), "handles");
        });
        test("a listener that is exchanged under way, and none", () -> {
            AtomicInteger second = new AtomicInteger();
            try (Config config = Emulator.builder().build();
                    Upload upload = new Upload(config, Emulator.name())) {
                upload.setProgressListener((phase, done, total) ->
                        upload.setProgressListener((p, d, t) -> {
                            second.incrementAndGet();
                            upload.setProgressListener(null);
                        }));
                upload.buffer(Bytes.random(3 * MIB, 31));
            }
            same(1, second.get(), "calls");
        });
    }

    @SuppressWarnings("unchecked")
    private static <T extends Throwable> void sneak(Throwable e) throws T {
        throw (T) e;
    }
}
