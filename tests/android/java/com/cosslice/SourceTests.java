package com.cosslice;

import static com.cosslice.Bytes.MIB;
import static com.cosslice.Check.bytes;
import static com.cosslice.Check.same;
import static com.cosslice.Check.test;
import static com.cosslice.Check.that;
import static com.cosslice.Check.thrown;

import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.util.Arrays;

/** Everything that can be uploaded arrives as it is. */
final class SourceTests {
    private SourceTests() {}

    private interface Send {
        void by(Upload upload) throws Exception;
    }

    /** Sends a content, and looks at what arrived. */
    private static void arrives(byte[] content, Send send) throws Exception {
        String name = Emulator.name();
        try (Config config = Emulator.builder().build();
                Upload upload = new Upload(config, name)) {
            send.by(upload);
            same(Phase.DONE, upload.getPhase(), "phase");
            same((long) content.length, upload.getBytesTotal(), "total");
            same((long) content.length, upload.getBytesDone(), "done");
            that(upload.isVerified(), "verified");
            same(Emulator.HOST + "/1250000000/bkt" + name, upload.getAccessUrl(), "access url");
            same("/1250000000/bkt" + name, upload.getResourcePath(), "resource path");
            same(Bytes.sha1(content), upload.getSha1(), "sha1");
        }
        bytes(content, Emulator.fetch(name), "the object");
    }

    static void run() {
        test("file", () -> {
            byte[] content = Bytes.random(3 * MIB + 7, 1);
            arrives(content, upload -> upload.file(Bytes.file(content, "plain")));
        });
        test("file and object with names beyond ASCII", () -> {
            byte[] content = Bytes.random(MIB + 1, 2);
            String name = "/视频/𝄞 emoji 😀 ä.mp4";
            File file = Bytes.file(content, "文件 😀 𠀀.bin");
            try (Config config = Emulator.builder().build();
                    Upload upload = new Upload(config, name)) {
                upload.file(file);
                same("/1250000000/bkt/%E8%A7%86%E9%A2%91/%F0%9D%84%9E%20emoji%20%F0%9F%98%80%20%C3%A4.mp4",
                        upload.getResourcePath(), "resource path");
                same(name, upload.getPath(), "path");
            }
            bytes(content, Emulator.fetch(name), "the object");
        });
        for (int size : new int[] {0, 1, MIB, MIB + 1, 3 * MIB, 2 * MIB + 12345}) {
            byte[] content = Bytes.random(size, 3);
            test("direct buffer of " + size, () -> arrives(content, upload -> upload.buffer(Bytes.direct(content))));
            byte[] other = Bytes.random(size, 4);
            test("array of " + size, () -> arrives(other, upload -> upload.buffer(other)));
            byte[] third = Bytes.random(size, 5);
            test("stream of " + size, () ->
                    arrives(third, upload -> upload.stream(new ByteArrayInputStream(third), third.length)));
            byte[] fourth = Bytes.random(size, 6);
            test("channel of " + size, () -> {
                try (FileInputStream in = new FileInputStream(Bytes.file(fourth, "channel"))) {
                    in.getChannel().position(size / 2);
                    arrives(fourth, upload -> upload.file(in.getChannel()));
                    same((long) size / 2, in.getChannel().position(), "position");
                }
            });
        }
        test("buffers: only from position to limit, which stay", () -> {
            byte[] all = Bytes.random(2 * MIB, 7);
            byte[] part = Arrays.copyOfRange(all, 1000, 1000 + MIB + 5);
            for (ByteBuffer buffer : new ByteBuffer[] {
                Bytes.direct(all), ByteBuffer.wrap(all), ByteBuffer.wrap(all).asReadOnlyBuffer()
            }) {
                buffer.position(1000);
                buffer.limit(1000 + part.length);
                arrives(part, upload -> upload.buffer(buffer));
                same(1000, buffer.position(), "position");
                same(1000 + part.length, buffer.limit(), "limit");
            }
        });
        test("a part of a channel, and one that is not there", () -> {
            byte[] all = Bytes.random(4 * MIB, 8);
            byte[] part = Arrays.copyOfRange(all, 77, 77 + 2 * MIB);
            try (FileInputStream in = new FileInputStream(Bytes.file(all, "part"))) {
                arrives(part, upload -> upload.file(in.getChannel(), 77, part.length));
                try (Config config = Emulator.builder().build();
                        Upload upload = new Upload(config, Emulator.name())) {
                    thrown(InvalidArgumentException.class, () -> upload.file(in.getChannel(), MIB, 3 * MIB + 1));
                    thrown(InvalidArgumentException.class, () -> upload.file(in.getChannel(), -1, 1));
                }
            }
        });
        test("pieces of all kinds", () -> {
            byte[] content = Bytes.random(3 * MIB, 9);
            arrives(content, upload -> {
                upload.init(content.length);
                upload.feed(content, 0, 700_000);
                upload.feed(new byte[0]);
                ByteBuffer direct = Bytes.direct(content);
                direct.position(700_000);
                direct.limit(1_500_001);
                upload.feed(direct);
                same(0, direct.remaining(), "what is left to feed");
                ByteBuffer readOnly = ByteBuffer.wrap(content).asReadOnlyBuffer();
                readOnly.position(1_500_001);
                readOnly.limit(2_000_000);
                upload.feed(readOnly);
                same(2_000_000, readOnly.position(), "position");
                upload.feed(Arrays.copyOfRange(content, 2_000_000, content.length));
                upload.finish();
            });
        });
        test("what the server has is not sent again", () -> {
            byte[] content = Bytes.random(2 * MIB, 10);
            try (Config config = Emulator.builder().build();
                    Upload first = new Upload(config, Emulator.name());
                    Upload second = new Upload(config, Emulator.name())) {
                first.buffer(content);
                that(!first.isInstant(), "the first is sent");
                second.hash(content, 0, MIB);
                second.hash(ByteBuffer.wrap(content, MIB, MIB));
                second.init(content.length);
                that(second.isInstant(), "the second is instant");
                second.finish();
            }
        });
        test("a channel continues where the server stands", () -> {
            byte[] content = Bytes.random(5 * MIB, 11);
            String name = Emulator.name();
            try (Config config = Emulator.builder().inFlight(1).retries(0).build();
                    FileInputStream in = new FileInputStream(Bytes.file(content, "continued"))) {
                Emulator.faults("{\"op\": \"upload_slice_data\", \"nth\": 4, \"do\": \"drop_before_commit\"}");
                try (Upload upload = new Upload(config, name)) {
                    thrown(NetworkException.class, () -> upload.file(in.getChannel()));
                }
                try (Upload upload = new Upload(config, name)) {
                    upload.file(in.getChannel());
                    same(3L * MIB, upload.getBytesResumed(), "resumed");
                }
            }
            bytes(content, Emulator.fetch(name), "the object");
        });
        test("a token continues a stream, and one with seek", () -> {
            byte[] content = Bytes.random(4 * MIB + 5, 12);
            String name = Emulator.name();
            try (Config config = Emulator.builder().inFlight(1).retries(0).build()) {
                Emulator.faults("{\"op\": \"upload_slice_data\", \"nth\": 3, \"do\": \"drop_before_commit\"}");
                String token;
                try (Upload upload = new Upload(config, name)) {
                    CossliceException e = thrown(NetworkException.class,
                            () -> upload.stream(new ByteArrayInputStream(content), content.length));
                    that(e.isRetryable(), "retryable");
                    token = e.getResumeToken();
                    same(token, upload.getResumeToken(), "the upload's token");
                }
                that(!token.isEmpty(), "a token");
                try (Upload upload = new Upload(config, name)) {
                    thrown(ConflictException.class, () -> upload.init(content.length)); // the token was the other one's
                }
                Emulator.faults("{\"op\": \"upload_slice_data\", \"nth\": 2, \"do\": \"drop_before_commit\"}");
                try (Upload upload = new Upload(config, name, token)) {
                    thrown(NetworkException.class,
                            () -> upload.stream(new ByteArrayInputStream(content), content.length));
                    same(2L * MIB, upload.getBytesResumed(), "resumed");
                    token = upload.getResumeToken();
                }
                try (Upload upload = new Upload(config, name, token)) {
                    upload.init(content.length);
                    long next = upload.getNextOffset();
                    same(3L * MIB, next, "next offset");
                    thrown(InvalidArgumentException.class, () -> upload.seek(next + 1));
                    upload.seek(next);
                    upload.feed(content, (int) next, content.length - (int) next);
                    upload.finish();
                }
                Emulator.calm();
                try (Config replacing = Emulator.builder().overwrite(Overwrite.OBJECT).build();
                        Upload upload = new Upload(replacing, name, token)) {
                    upload.init(content.length);
                    byte[] other = content.clone();
                    other[5] ^= 1;
                    upload.feed(other);
                    upload.finish(); // a new upload: nothing is left that the token could continue
                }
            }
            byte[] other = content.clone();
            other[5] ^= 1;
            bytes(other, Emulator.fetch(name), "the object");
        });
        test("a stream that ends early, goes on too long, or throws", () -> {
            byte[] content = Bytes.random(2 * MIB, 13);
            try (Config config = Emulator.builder().build()) {
                try (Upload upload = new Upload(config, Emulator.name())) {
                    thrown(SourceChangedException.class,
                            () -> upload.stream(new ByteArrayInputStream(content), content.length + 1));
                }
                try (Upload upload = new Upload(config, Emulator.name())) {
                    thrown(SourceChangedException.class,
                            () -> upload.stream(new ByteArrayInputStream(content), content.length - 1));
                }
                IOException own = new IOException("the disk is gone");
                InputStream broken = new FilterInputStream(new ByteArrayInputStream(content)) {
                    @Override
                    public int read(byte[] into) throws IOException {
                        int count = super.read(into);
                        if (count < 0) {
                            throw own;
                        }
                        return count;
                    }
                };
                String name = Emulator.name();
                String token;
                try (Upload upload = new Upload(config, name)) {
                    same(own, thrown(IOException.class, () -> upload.stream(broken, content.length + 1)), "thrown");
                    token = upload.getResumeToken();
                }
                that(!token.isEmpty(), "a token after the stream's own failure");
            }
        });
        test("a channel whose file shrinks or grows under way", () -> {
            byte[] content = Bytes.random(4 * MIB, 14);
            for (int length : new int[] {3 * MIB, 5 * MIB}) {
                File file = Bytes.file(content, "changing");
                String name = Emulator.name();
                try (Config config = Emulator.builder().build();
                        RandomAccessFile change = new RandomAccessFile(file, "rw");
                        FileChannel channel = new FileInputStream(file).getChannel();
                        Upload upload = new Upload(config, name)) {
                    upload.setProgressListener((phase, done, total) -> {
                        if (phase == Phase.SENDING) {
                            try {
                                change.setLength(length);
                            } catch (IOException e) {
                                throw new IllegalStateException(e);
                            }
                        }
                    });
                    thrown(SourceChangedException.class, () -> upload.file(channel));
                }
                thrown(java.io.FileNotFoundException.class, () -> Emulator.fetch(name));
            }
        });
        test("without hashes", () -> {
            byte[] content = Bytes.random(3 * MIB, 15);
            String name = Emulator.name();
            try (Config config = Emulator.builder().hash(false).build();
                    FileInputStream in = new FileInputStream(Bytes.file(content, "unhashed"));
                    Upload upload = new Upload(config, name)) {
                upload.file(in.getChannel());
                same("", upload.getSha1(), "sha1");
            }
            bytes(content, Emulator.fetch(name), "the object");
        });
    }
}
