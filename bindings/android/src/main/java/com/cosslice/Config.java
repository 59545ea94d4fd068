package com.cosslice;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Where uploads go, who signs them and how they behave. It cannot be changed once it is built; any thread may use it. Its
 * uploads share its connections, so keep one for many. Closing it does not touch uploads that exist.
 *
 * <pre>{@code
 * Config config = new Config.Builder().appId("1250000000").bucket("bkt").region("gz").signer(signer).build();
 * }</pre>
 */
public final class Config implements AutoCloseable {
    final Signer signer;
    final Logger logger;
    final boolean hash;
    private final Handle handle;

    private Config(Builder builder) throws CossliceException {
        signer = builder.signer;
        logger = builder.logger;
        hash = builder.hash;
        Handle.freeGarbage();
        long[] out = new long[1];
        int status = Native.configNew(out);
        if (status != Status.OK) {
            throw failure(status, "no config could be made");
        }
        handle = new ConfigHandle(this, out[0]);
        boolean built = false;
        try {
            for (Map.Entry<Integer, String> text : builder.texts.entrySet()) {
                byte[] value = Text.encode(text.getValue(), "the text of option " + text.getKey());
                status = Native.configSetText(out[0], text.getKey(), value);
                Arrays.fill(value, (byte) 0);
                check(status);
            }
            for (Map.Entry<Integer, Long> number : builder.numbers.entrySet()) {
                check(Native.configSetNumber(out[0], number.getKey(), number.getValue()));
            }
            int level = logger == null ? 0 : builder.level.code;
            check(Native.configSetHooks(out[0], signer != null, level));
            built = true;
        } finally {
            if (!built) {
                close();
            }
        }
    }

    /** The version of the library, such as "0.1.0". */
    public static String libraryVersion() {
        return Text.decode(Native.version());
    }

    /**
     * For a server that signs for others: a signature by this config's key pair.
     *
     * @param path the object; one that ends with '/' covers everything below it, "" the whole bucket
     * @param expiresAtSeconds in Unix seconds; 0 makes a one-time signature, which needs a path
     */
    public synchronized String sign(String path, long expiresAtSeconds) throws CossliceException {
        byte[] encoded = Text.encode(path, "the path");
        if (expiresAtSeconds < 0) {
            throw new InvalidArgumentException("expiresAtSeconds is negative");
        }
        byte[][] out = new byte[1][];
        check(Native.configSign(open(), encoded, expiresAtSeconds, out));
        return Text.decode(out[0]);
    }

    /** Frees the config; its uploads go on. Closing again does nothing. Does not block. */
    @Override
    public synchronized void close() {
        handle.release(handle.take());
    }

    /** A native upload. One with a resume token gets it for itself only. */
    synchronized long newUpload(String path, String resumeToken, Hooks hooks) throws CossliceException {
        byte[] encoded = Text.encode(path, "the path");
        byte[] token = Text.encode(resumeToken, "the resume token");
        long config = open();
        if (token.length > 0) {
            check(Native.configSetText(config, Option.RESUME_TOKEN, token));
        }
        try {
            long[] out = new long[1];
            check(Native.uploadNew(config, encoded, hooks, out));
            return out[0];
        } finally {
            if (token.length > 0) {
                Native.configSetText(config, Option.RESUME_TOKEN, new byte[0]);
            }
        }
    }

    private long open() throws StateException {
        long address = handle.address();
        if (address == 0) {
            throw new StateException("the config is closed");
        }
        return address;
    }

    private void check(int status) throws CossliceException {
        if (status != Status.OK) {
            throw failure(status, Text.decode(Native.configMessage(handle.address())));
        }
    }

    private static CossliceException failure(int status, String message) {
        String words = message.isEmpty() ? Text.decode(Native.statusText(status)) : message;
        return CossliceException.of(words, new CossliceException.Details(status));
    }

    private static final class ConfigHandle extends Handle {
        ConfigHandle(Config owner, long address) {
            super(owner, address);
        }

        @Override
        void release(long address) {
            Native.configFree(address);
        }
    }

    /** The options. What is not set, or set to null or "", has its default. Values are looked at by {@link #build}. */
    public static final class Builder {
        private final Map<Integer, String> texts = new LinkedHashMap<>();
        private final Map<Integer, Long> numbers = new LinkedHashMap<>();
        private Signer signer;
        private Logger logger;
        private LogLevel level = LogLevel.INFO;
        private boolean hash = true;

        /** The account's number, such as 1250000000. Required. */
        public Builder appId(String appId) {
            return text(Option.APP_ID, appId);
        }

        /** The short bucket name, without the account's number. Required. */
        public Builder bucket(String bucket) {
            return text(Option.BUCKET, bucket);
        }

        /** The region, such as gz, sh, tj. Required unless there is an endpoint. */
        public Builder region(String region) {
            return text(Option.REGION, region);
        }

        /** The full base URL; by default {@code https://<region>.file.myqcloud.com/files/v2}. */
        public Builder endpoint(String endpoint) {
            return text(Option.ENDPOINT, endpoint);
        }

        /** The public half of the key pair. */
        public Builder secretId(String secretId) {
            return text(Option.SECRET_ID, secretId);
        }

        /**
         * The secret half of the key pair. It does not belong on a user's device, where anyone can read it out of the
         * package: use {@link #signer} there.
         */
        public Builder secretKey(String secretKey) {
            return text(Option.SECRET_KEY, secretKey);
        }

        /** One ready-made signature for all requests, instead of a key pair or a signer. */
        public Builder authorization(String authorization) {
            return text(Option.AUTHORIZATION, authorization);
        }

        /** The objects' custom attribute. */
        public Builder bizAttr(String bizAttr) {
            return text(Option.BIZ_ATTR, bizAttr);
        }

        /** Certificates in PEM that replace the built-in roots (the text, not a file name). */
        public Builder caPem(String caPem) {
            return text(Option.CA_PEM, caPem);
        }

        /** {@code http://[user:password@]host:port} of a proxy that takes CONNECT. */
        public Builder proxy(String proxy) {
            return text(Option.PROXY, proxy);
        }

        /** The User-Agent header; by default {@code libcosslice/<version>}. */
        public Builder userAgent(String userAgent) {
            return text(Option.USER_AGENT, userAgent);
        }

        /** Bytes of a slice, 65536 to 67108864; by default 1048576, the only size that every COS server takes. */
        public Builder sliceSize(long bytes) {
            return number(Option.SLICE_SIZE, bytes);
        }

        /** Slices on their way at once, 1 to 64; by default 4. */
        public Builder inFlight(int slices) {
            return number(Option.IN_FLIGHT, slices);
        }

        /** Further tries per request, 0 to 100; by default 5. */
        public Builder retries(int retries) {
            return number(Option.RETRIES, retries);
        }

        /** Milliseconds to connect, name lookup and TLS included, 100 to 600000; by default 10000. */
        public Builder connectTimeoutMillis(long millis) {
            return number(Option.CONNECT_TIMEOUT_MS, millis);
        }

        /** Milliseconds of silence before a connection is given up, 100 to 3600000; by default 60000. */
        public Builder ioTimeoutMillis(long millis) {
            return number(Option.IO_TIMEOUT_MS, millis);
        }

        /** Seconds that signatures last, 60 to 7776000; by default 900. */
        public Builder signTtlSeconds(long seconds) {
            return number(Option.SIGN_TTL_S, seconds);
        }

        /** What may happen to what is there; by default {@link Overwrite#NEVER}. */
        public Builder overwrite(Overwrite overwrite) {
            return number(Option.OVERWRITE, (overwrite == null ? Overwrite.NEVER : overwrite).code);
        }

        /** Whether to continue an unfinished upload whose content is known to be the same; by default true. */
        public Builder resume(boolean resume) {
            return number(Option.RESUME, resume ? 1 : 0);
        }

        /** Whether to hash: whole contents first, to declare the digest, others as they are fed. By default true. */
        public Builder hash(boolean hash) {
            this.hash = hash;
            return number(Option.HASH, hash ? 1 : 0);
        }

        /** Whether to compare with the server's record afterwards where no digest was declared; by default true. */
        public Builder verify(boolean verify) {
            return number(Option.VERIFY, verify ? 1 : 0);
        }

        /** Whole contents of up to this many bytes go in one request, 0 to 20971520; by default 1048576. */
        public Builder singleMax(long bytes) {
            return number(Option.SINGLE_MAX, bytes);
        }

        /** Bytes per second over all slices of an upload, up to 1099511627776; by default 0, no limit. */
        public Builder bandwidth(long bytesPerSecond) {
            return number(Option.BANDWIDTH, bytesPerSecond);
        }

        /** Who makes the signatures, so that the secret key need not be here. Null: the key pair. */
        public Builder signer(Signer signer) {
            this.signer = signer;
            return this;
        }

        /** Who takes the log lines up to {@code level}. Null: nobody. */
        public Builder logger(Logger logger, LogLevel level) {
            this.logger = logger;
            this.level = level == null ? LogLevel.INFO : level;
            return this;
        }

        /** May be called again, also after further changes. {@link InvalidArgumentException} says which value is unfit. */
        public Config build() throws CossliceException {
            return new Config(this);
        }

        private Builder text(int option, String value) {
            texts.put(option, value == null ? "" : value);
            return this;
        }

        private Builder number(int option, long value) {
            numbers.put(option, value);
            return this;
        }
    }
}
