import com.cosslice.Config;
import com.cosslice.SignRequest;
import com.cosslice.Signer;
import com.cosslice.Upload;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.util.Scanner;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Asks a server of yours for signatures (bindings/python/examples/sign_server.py or bindings/node/sign_server.mjs), so that no secret
 * key is on the device. For Android and for any JVM.
 *
 * <pre>SIGN_URL=http://127.0.0.1:8080/sign SIGN_TOKEN=s3cret java RemoteSigner FILE /alice/name</pre>
 */
public final class RemoteSigner implements Signer {
    private static final int SILENCE_MILLIS = 10_000;

    /** Base64 needs no unescaping. */
    private static final Pattern ANSWER = Pattern.compile("\"signature\"\\s*:\\s*\"([A-Za-z0-9+/=]+)\"");

    private final URL server;
    private final String token;

    public RemoteSigner(URL server, String token) {
        this.server = server;
        this.token = token;
    }

    /** Runs on the thread that is inside the upload's method, about once in a quarter of an hour. What it throws comes out there. */
    @Override
    public String sign(SignRequest request) throws IOException {
        HttpURLConnection connection = (HttpURLConnection) server.openConnection();
        try {
            connection.setConnectTimeout(SILENCE_MILLIS);
            connection.setReadTimeout(SILENCE_MILLIS);
            connection.setDoOutput(true);
            connection.setRequestProperty("Content-Type", "application/json");
            connection.setRequestProperty("Authorization", "Bearer " + token);
            String question =
                    "{\"path\":" + json(request.getPath())
                            + ",\"bucket\":" + json(request.getBucket())
                            + ",\"expires_at_s\":" + request.getExpiresAtSeconds() + "}";
            connection.getOutputStream().write(question.getBytes(StandardCharsets.UTF_8));
            if (connection.getResponseCode() != 200) {
                throw new IOException("the sign server answered with " + connection.getResponseCode());
            }
            try (InputStream in = connection.getInputStream(); Scanner scanner = new Scanner(in, "UTF-8").useDelimiter("\\A")) {
                Matcher answer = ANSWER.matcher(scanner.hasNext() ? scanner.next() : "");
                if (!answer.find()) {
                    throw new IOException("the sign server answered without a signature");
                }
                return answer.group(1);
            }
        } finally {
            connection.disconnect();
        }
    }

    private static String json(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\' || c < ' ') {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        return out.append('"').toString();
    }

    public static void main(String[] arguments) throws Exception {
        Signer signer = new RemoteSigner(new URL(System.getenv("SIGN_URL")), System.getenv("SIGN_TOKEN"));
        Config.Builder builder =
                new Config.Builder()
                        .appId(System.getenv("COSSLICE_APP_ID"))
                        .bucket(System.getenv("COSSLICE_BUCKET"))
                        .signer(signer);
        if (System.getenv("COSSLICE_ENDPOINT") != null) {
            builder.endpoint(System.getenv("COSSLICE_ENDPOINT"));
        } else {
            builder.region(System.getenv("COSSLICE_REGION"));
        }
        try (Config config = builder.build();
                Upload upload = new Upload(config, arguments[1])) {
            upload.file(new File(arguments[0]));
            System.out.println(upload.getAccessUrl());
        }
    }
}
