package com.cosslice;

import java.nio.ByteBuffer;

/**
 * The C interface, one method for each function. Handles are never checked here: {@link Config} and {@link Upload} see to
 * it that none is used after it was freed. Texts are UTF-8 bytes, because JNI's own strings are another encoding.
 */
final class Native {
    static {
        System.loadLibrary("cosslice_jni");
    }

    private Native() {}

    static native byte[] version();

    static native byte[] statusText(int status);

    /** Puts the handle into {@code out[0]} when it returns 0. */
    static native int configNew(long[] out);

    static native void configFree(long config);

    static native byte[] configMessage(long config);

    static native int configSetText(long config, int option, byte[] value);

    static native int configSetNumber(long config, int option, long value);

    /** Sends the config's questions for signatures, and log lines up to a level above 0, to the {@link Hooks} of a call. */
    static native int configSetHooks(long config, boolean signer, int logLevel);

    /** Puts the signature into {@code out[0]} when it returns 0. */
    static native int configSign(long config, byte[] path, long expiresAtSeconds, byte[][] out);

    /** Puts the handle into {@code out[0]} when it returns 0. */
    static native int uploadNew(long config, byte[] path, Hooks hooks, long[] out);

    static native void uploadFree(long upload);

    static native void uploadCancel(long upload);

    static native long uploadNumber(long upload, int info);

    static native byte[] uploadText(long upload, int info);

    static native int uploadHash(long upload, Hooks hooks, byte[] data, int offset, int length);

    static native int uploadHashDirect(long upload, Hooks hooks, ByteBuffer data, int offset, int length);

    static native int uploadInit(long upload, Hooks hooks, long totalSize);

    static native int uploadSeek(long upload, Hooks hooks, long offset);

    static native int uploadFeed(long upload, Hooks hooks, byte[] data, int offset, int length);

    static native int uploadFeedDirect(long upload, Hooks hooks, ByteBuffer data, int offset, int length);

    static native int uploadFinish(long upload, Hooks hooks);

    static native int uploadFile(long upload, Hooks hooks, byte[] path);

    static native int uploadBufferDirect(long upload, Hooks hooks, ByteBuffer data, int offset, int length);
}
