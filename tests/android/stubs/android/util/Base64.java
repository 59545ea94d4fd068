package android.util;

/** As Android's: lines of 76 characters, each with its end. */
public class Base64 {
    public static final int DEFAULT = 0;

    private Base64() {}

    public static String encodeToString(byte[] input, int flags) {
        return java.util.Base64.getMimeEncoder(76, new byte[] {'\n'}).encodeToString(input) + "\n";
    }
}
