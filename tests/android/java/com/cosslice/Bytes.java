package com.cosslice;

import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.Random;

/** Contents to upload. */
final class Bytes {
    static final int MIB = 1 << 20;

    private Bytes() {}

    /** The same for the same seed. No two contents of a test run may be equal, or COS has them already. */
    static byte[] random(int length, long seed) {
        byte[] bytes = new byte[length];
        new Random(seed * 7919 + length).nextBytes(bytes);
        return bytes;
    }

    static ByteBuffer direct(byte[] bytes) {
        ByteBuffer buffer = ByteBuffer.allocateDirect(bytes.length);
        buffer.put(bytes);
        buffer.flip();
        return buffer;
    }

    static File file(byte[] bytes, String name) throws IOException {
        File file = new File(System.getProperty("cosslice.test.dir"), name);
        try (FileOutputStream out = new FileOutputStream(file)) {
            out.write(bytes);
        }
        return file;
    }

    static String sha1(byte[] bytes) throws Exception {
        StringBuilder hex = new StringBuilder();
        for (byte b : MessageDigest.getInstance("SHA-1").digest(bytes)) {
            hex.append(String.format("%02x", b & 0xff));
        }
        return hex.toString();
    }
}
