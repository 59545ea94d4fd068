package com.cosslice;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.URL;
import java.nio.charset.StandardCharsets;

/** The COS emulator that run.sh has started. */
final class Emulator {
    static final String HOST = "http://127.0.0.1:" + System.getProperty("cosslice.test.port");
    static final String APP_ID = "1250000000";
    static final String BUCKET = "bkt";
    static final String SECRET_ID = "AKIDEXAMPLE";
    static final String SECRET_KEY = "examplesecretkey";
    private static int names;

    private Emulator() {}

    /** A config's builder without anything that signs. */
    static Config.Builder unsigned() {
        return new Config.Builder().appId(APP_ID).bucket(BUCKET).endpoint(HOST + "/files/v2");
    }

    static Config.Builder builder() {
        return unsigned().secretId(SECRET_ID).secretKey(SECRET_KEY);
    }

    /** A name that no other test uses, in this process or another. */
    static synchronized String name() {
        return "/android/" + ProcessHandle.current().pid() + "-" + ++names;
    }

    static void calm() throws IOException {
        faults("[]");
    }

    static void faults(String json) throws IOException {
        control("faults", json);
    }

    static String control(String what, String json) throws IOException {
        return new String(request(HOST + "/_emulator/" + what, json), StandardCharsets.UTF_8);
    }

    static byte[] fetch(String path) throws IOException {
        String encoded = URI.create("http://x/").resolve(encode("/" + APP_ID + "/" + BUCKET + path)).getRawPath();
        return request(HOST + encoded, null);
    }

    private static String encode(String path) {
        StringBuilder out = new StringBuilder();
        for (byte b : path.getBytes(StandardCharsets.UTF_8)) {
            boolean plain = b == '/' || b == '.' || b == '-' || b == '_' || Character.isLetterOrDigit(b);
            out.append(plain ? String.valueOf((char) b) : String.format("%%%02X", b & 0xff));
        }
        return out.toString();
    }

    private static byte[] request(String url, String body) throws IOException {
        HttpURLConnection connection = (HttpURLConnection) new URL(url).openConnection();
        connection.setReadTimeout(60_000);
        if (body != null) {
            connection.setDoOutput(true);
            connection.getOutputStream().write(body.getBytes(StandardCharsets.UTF_8));
        }
        try (InputStream in = connection.getInputStream()) {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            byte[] piece = new byte[65536];
            for (int count = in.read(piece); count >= 0; count = in.read(piece)) {
                out.write(piece, 0, count);
            }
            return out.toByteArray();
        }
    }
}
