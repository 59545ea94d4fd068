package com.cosslice;

import static com.cosslice.Bytes.MIB;
import static com.cosslice.Check.bytes;
import static com.cosslice.Check.same;
import static com.cosslice.Check.test;
import static com.cosslice.Check.that;
import static com.cosslice.Check.thrown;

import java.io.File;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;

/** What fails says all about it. */
final class ErrorTests {
    private ErrorTests() {}

    private static <T extends CossliceException> T fails(Class<T> kind, Config.Builder builder, int size) throws Exception {
        try (Config config = builder.build();
                Upload upload = new Upload(config, Emulator.name())) {
            T e = thrown(kind, () -> upload.buffer(Bytes.random(size, 51)));
            same(e.getMessage(), upload.getMessage(), "the upload's message");
            same(e.isRetryable(), upload.isRetryable(), "the upload's retryable");
            that(!e.getMessage().isEmpty() && !e.getMessage().contains(Emulator.SECRET_KEY), "message");
            return e;
        }
    }

    static void run() {
        test("a refusal with all its details", () -> {
            Emulator.faults("{\"op\": \"upload_slice_init\", \"do\": \"code\", \"code\": -285, \"status\": 400,"
                    + " \"message\": \"参数 😀\"}");
            ServerException e = fails(ServerException.class, Emulator.builder(), 2 * MIB);
            same(Status.E_SERVER, e.getStatus(), "status");
            same(-285L, e.getServerCode(), "server code");
            same(400, e.getHttpStatus(), "http status");
            same("参数 😀", e.getServerMessage(), "server message");
            that(!e.getRequestId().isEmpty(), "request id");
            that(!e.isRetryable(), "not retryable");
            same(0, e.getOsError(), "os error");
        });
        test("network", () -> {
            Emulator.faults("{\"op\": \"upload_slice_data\", \"do\": \"drop_in_body\", \"at\": 1000}");
            that(fails(NetworkException.class, Emulator.builder().retries(0), 2 * MIB).isRetryable(), "retryable");
        });
        test("nobody listens", () -> {
            CossliceException e = fails(NetworkException.class,
                    Emulator.builder().endpoint("http://127.0.0.1:1/files/v2").connectTimeoutMillis(300), 5);
            same(111, e.getOsError(), "os error");
        });
        test("silence", () -> {
            Emulator.faults("{\"op\": \"upload_slice_init\", \"do\": \"stall\"}");
            fails(TimedOutException.class, Emulator.builder().retries(0).ioTimeoutMillis(200), 2 * MIB);
        });
        test("a proxy's page", () -> {
            Emulator.faults("{\"op\": \"upload_slice_init\", \"do\": \"status\", \"status\": 502, \"body\": \"html\"}");
            same(502, fails(ProtocolException.class, Emulator.builder().retries(0), 2 * MIB).getHttpStatus(), "status");
        });
        test("the wrong key", () ->
                same(-97L, fails(AuthException.class, Emulator.builder().secretKey("another"), 5).getServerCode(), "code"));
        test("no TLS at the other end", () ->
                fails(TlsException.class,
                        Emulator.builder().endpoint(Emulator.HOST.replace("http:", "https:") + "/files/v2"), 5));
        test("a parent that is not there", () -> {
            Emulator.faults("{\"do\": \"with\", \"settings\": {\"require_parent\": true}}");
            same(-197L, fails(NotFoundException.class, Emulator.builder(), 2 * MIB).getServerCode(), "code");
        });
        test("an object and an unfinished upload of the same name", () -> {
            byte[] content = Bytes.random(2 * MIB, 52);
            String name = Emulator.name();
            try (Config config = Emulator.builder().build();
                    Config force = Emulator.builder().overwrite(Overwrite.UNFINISHED).build()) {
                try (Upload upload = new Upload(config, name)) {
                    upload.init(3 * MIB);
                    upload.feed(content);
                }
                try (Upload upload = new Upload(config, name)) {
                    thrown(ConflictException.class, () -> upload.buffer(content));
                }
                try (Upload upload = new Upload(force, name)) {
                    upload.buffer(content);
                }
                try (Upload upload = new Upload(config, name)) {
                    thrown(ExistsException.class, () -> upload.buffer(Bytes.random(2 * MIB, 53)));
                }
            }
            bytes(content, Emulator.fetch(name), "the object");
        });
        test("a file that cannot be read", () -> {
            try (Config config = Emulator.builder().build();
                    Upload upload = new Upload(config, Emulator.name())) {
                same(2, thrown(FileException.class, () -> upload.file("/does/not/exist 😀")).getOsError(), "errno");
            }
        });
        test("content other than what was hashed", () -> {
            byte[] content = Bytes.random(2 * MIB, 54);
            try (Config config = Emulator.builder().build();
                    Upload upload = new Upload(config, Emulator.name())) {
                upload.hash(content);
                upload.init(content.length);
                content[0] ^= 1;
                thrown(SourceChangedException.class, () -> {
                    upload.feed(content);
                    upload.finish();
                });
            }
        });
        test("what goes wrong once is done again", () -> {
            byte[] content = Bytes.random(4 * MIB, 55);
            String name = Emulator.name();
            for (String fault : new String[] {
                "\"drop_after_commit\"", "\"drop_before_body\"", "\"garbage\"", "\"code\", \"code\": -71, \"status\": 503",
                "\"status\", \"status\": 500, \"body\": \"empty\"", "\"cut\""
            }) {
                Emulator.faults("[{\"op\": \"upload_slice_data\", \"nth\": 2, \"do\": " + fault + "},"
                        + " {\"op\": \"upload_slice_finish\", \"nth\": 1, \"do\": \"drop_after_commit\"}]");
                content[1]++;
                try (Config config = Emulator.builder().overwrite(Overwrite.UNFINISHED).build();
                        Upload upload = new Upload(config, name)) {
                    upload.buffer(Bytes.direct(content));
                    that(upload.getRetries() >= 1, fault + ": retries " + upload.getRetries());
                }
                bytes(content, Emulator.fetch(name), fault);
            }
        });
        test("a wrong order", () -> {
            try (Config config = Emulator.builder().build();
                    Upload upload = new Upload(config, Emulator.name())) {
                thrown(StateException.class, () -> upload.feed(new byte[1]));
                thrown(StateException.class, () -> upload.finish());
                thrown(StateException.class, () -> upload.seek(0));
                upload.init(0);
                thrown(StateException.class, () -> upload.init(0));
                thrown(StateException.class, () -> upload.hash(new byte[1]));
                upload.finish(); // refused calls have changed nothing
            }
        });
        test("garbage arguments of an upload", () -> {
            try (Config config = Emulator.builder().build();
                    Upload upload = new Upload(config, Emulator.name())) {
                Check.Body[] calls = {
                    () -> upload.file((String) null),
                    () -> upload.file((File) null),
                    () -> upload.file((FileChannel) null),
                    () -> upload.file("/tmp/a\0b"),
                    () -> upload.file("/tmp/\ud83d"),
                    () -> upload.file("/tmp/\ude00\ud83d"),
                    () -> upload.stream((InputStream) null, 5),
                    () -> upload.stream(new java.io.ByteArrayInputStream(new byte[1]), -1),
                    () -> upload.buffer((ByteBuffer) null),
                    () -> upload.buffer((byte[]) null),
                    () -> upload.feed((ByteBuffer) null),
                    () -> upload.feed((byte[]) null),
                    () -> upload.feed(null, 0, 0),
                    () -> upload.feed(new byte[5], -1, 1),
                    () -> upload.feed(new byte[5], 0, -1),
                    () -> upload.feed(new byte[5], 5, 1),
                    () -> upload.feed(new byte[5], 2, Integer.MAX_VALUE),
                    () -> upload.feed(new byte[5], Integer.MAX_VALUE, 1),
                    () -> upload.hash((byte[]) null),
                    () -> upload.hash(new byte[5], 6, 0),
                    () -> upload.init(-1),
                    () -> upload.init(Long.MAX_VALUE),
                    () -> upload.seek(-1),
                    () -> new Upload(null, "/a"),
                    () -> new Upload(config, null),
                    () -> new Upload(config, "/a\0b"),
                    () -> new Upload(config, "a"),
                    () -> new Upload(config, ""),
                    () -> new Upload(config, "/a//b"),
                    () -> new Upload(config, "/a?"),
                    () -> new Upload(config, "/\udc00"),
                    () -> new Upload(config, "/a", null),
                    () -> new Upload(config, "/a", "no token"),
                    () -> config.sign(null, 0),
                    () -> config.sign("a", 0),
                    () -> config.sign("/a", -1),
                };
                for (int i = 0; i < calls.length; i++) {
                    CossliceException e;
                    try {
                        e = thrown(InvalidArgumentException.class, calls[i]);
                    } catch (AssertionError wrong) {
                        throw new AssertionError("call " + i, wrong);
                    }
                    same(Status.E_INVALID_ARG, e.getStatus(), "status");
                    that(!e.getMessage().isEmpty(), "message");
                }
                upload.buffer(new byte[] {1, 2, 3}); // it is as good as new
                new Upload(config, "/fine").close();
            }
        });
        test("garbage options", () -> {
            Config.Builder[] builders = {
                Emulator.builder().appId("no number"),
                Emulator.builder().bucket("a/b"),
                Emulator.builder().region("\0"),
                Emulator.builder().endpoint("ftp://x"),
                Emulator.builder().secretKey("\ud800"),
                Emulator.builder().caPem("no pem"),
                Emulator.builder().proxy("socks5://x"),
                Emulator.builder().userAgent("a\r\nb"),
                Emulator.builder().sliceSize(0),
                Emulator.builder().sliceSize(-1),
                Emulator.builder().inFlight(65),
                Emulator.builder().retries(-1),
                Emulator.builder().connectTimeoutMillis(Long.MIN_VALUE),
                Emulator.builder().ioTimeoutMillis(0),
                Emulator.builder().signTtlSeconds(59),
                Emulator.builder().singleMax(20971521),
                Emulator.builder().bandwidth(-5),
            };
            int before = Handle.live();
            for (int i = 0; i < builders.length; i++) {
                try {
                    thrown(InvalidArgumentException.class, builders[i]::build);
                } catch (AssertionError e) {
                    throw new AssertionError("builder " + i, e);
                }
            }
            same(before, Handle.live(), "handles");
            try (Config config = new Config.Builder().build()) {
                CossliceException e = thrown(InvalidArgumentException.class, () -> new Upload(config, "/a"));
                that(e.getMessage().contains("APP_ID"), e.getMessage());
            }
            Emulator.builder().appId(null).overwrite(null).logger(null, null).signer(null).build().close();
        });
        test("signatures for others", () -> {
            try (Config config = Emulator.builder().build()) {
                String signature = config.sign("/a", 2_000_000_000);
                that(signature.matches("[A-Za-z0-9+/]+=*"), signature);
                same(signature.length(), config.sign("/a", 2_000_000_000).length(), "length");
                that(!config.sign("/a", 0).equals(config.sign("/a", 0)), "one-time signatures differ");
                that(config.sign("", 2_000_000_000).length() > 20, "for the whole bucket");
            }
        });
    }
}
