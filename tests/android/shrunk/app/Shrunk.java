package app;

import com.cosslice.AuthException;
import com.cosslice.Config;
import com.cosslice.LogLevel;
import com.cosslice.Phase;
import com.cosslice.Upload;
import java.util.concurrent.atomic.AtomicInteger;

/** An app that was shrunk and obfuscated with the consumer rules: everything that native code calls must still be there. */
public final class Shrunk {
    private Shrunk() {}

    private static Config.Builder builder() {
        return new Config.Builder()
                .appId("1250000000")
                .bucket("bkt")
                .endpoint("http://127.0.0.1:" + System.getProperty("cosslice.test.port") + "/files/v2");
    }

    public static void main(String[] args) throws Exception {
        byte[] content = new byte[3 << 20];
        new java.util.Random(91).nextBytes(content);
        AtomicInteger progress = new AtomicInteger();
        AtomicInteger lines = new AtomicInteger();
        AtomicInteger signed = new AtomicInteger();
        try (Config server = builder().secretId("AKIDEXAMPLE").secretKey("examplesecretkey").build();
                Config config = builder()
                        .signer(request -> {
                            signed.incrementAndGet();
                            return server.sign(request.getPath(), request.getExpiresAtSeconds());
                        })
                        .logger((level, line) -> lines.incrementAndGet(), LogLevel.DEBUG)
                        .build();
                Upload upload = new Upload(config, "/shrunk/" + System.nanoTime())) {
            upload.setProgressListener((phase, done, total) -> progress.incrementAndGet());
            upload.buffer(content);
            if (upload.getPhase() != Phase.DONE || progress.get() == 0 || lines.get() == 0 || signed.get() == 0) {
                throw new AssertionError("callbacks are lost");
            }
        }
        try (Config config = builder().signer(request -> null).build();
                Upload upload = new Upload(config, "/shrunk/refused")) {
            upload.buffer(content);
            throw new AssertionError("not refused");
        } catch (AuthException e) {
            System.out.println("1 passed, 0 failed");
        }
    }
}
