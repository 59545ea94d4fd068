package com.cosslice;

import java.io.IOException;
import java.nio.charset.StandardCharsets;

/**
 * What the native side calls, on the thread that is inside a call. It is handed into each call, so that nothing native
 * holds on to an object of the application.
 */
final class Hooks {
    private final Signer signer;
    private final Logger logger;
    volatile ProgressListener progress;

    /** Bytes of a whole content that is hashed on this side, while the library is not told yet. */
    volatile long expected;

    Hooks(Signer signer, Logger logger, ProgressListener progress) {
        this.signer = signer;
        this.logger = logger;
        this.progress = progress;
    }

    /** Whether to stop. The library calls about ten times a second, which is when an interrupt is noticed. */
    boolean progress(int phase, long bytesDone, long bytesTotal) {
        ProgressListener listener = progress;
        if (listener != null) {
            listener.onProgress(Phase.of(phase), bytesDone, Math.max(bytesTotal, expected));
        }
        return Thread.currentThread().isInterrupted();
    }

    /** The signature, or null to refuse. */
    byte[] sign(
            byte[] op,
            byte[] appId,
            byte[] bucket,
            byte[] path,
            byte[] fileId,
            long expiresAtSeconds,
            long nowSeconds)
            throws IOException {
        String signature =
                signer.sign(
                        new SignRequest(
                                Text.decode(op),
                                Text.decode(appId),
                                Text.decode(bucket),
                                Text.decode(path),
                                Text.decode(fileId),
                                expiresAtSeconds,
                                nowSeconds));
        // Signatures are ASCII. Another character becomes a '?', which COS takes no more than the character.
        return signature == null ? null : signature.getBytes(StandardCharsets.US_ASCII);
    }

    void log(int level, byte[] message) {
        logger.log(LogLevel.of(level), Text.decode(message));
    }
}
