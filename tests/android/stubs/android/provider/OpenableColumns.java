package android.provider;

/** As Android's. */
public interface OpenableColumns {
    String SIZE = "_size";
}
