package com.cosslice;

/** What a signature is wanted for. */
public final class SignRequest {
    private final String op;
    private final String appId;
    private final String bucket;
    private final String path;
    private final String fileId;
    private final long expiresAtSeconds;
    private final long nowSeconds;

    SignRequest(
            String op,
            String appId,
            String bucket,
            String path,
            String fileId,
            long expiresAtSeconds,
            long nowSeconds) {
        this.op = op;
        this.appId = appId;
        this.bucket = bucket;
        this.path = path;
        this.fileId = fileId;
        this.expiresAtSeconds = expiresAtSeconds;
        this.nowSeconds = nowSeconds;
    }

    /** The operation, such as {@code upload_slice_data}. */
    public String getOp() {
        return op;
    }

    /** The account's number. */
    public String getAppId() {
        return appId;
    }

    public String getBucket() {
        return bucket;
    }

    /** The object as it was given to {@link Upload}, not encoded. */
    public String getPath() {
        return path;
    }

    /** The signature's {@code f} field, {@code /appid/bucket/encoded-path}. */
    public String getFileId() {
        return fileId;
    }

    /** Unix seconds when the signature should end; 0 wants a one-time signature. */
    public long getExpiresAtSeconds() {
        return expiresAtSeconds;
    }

    /** Unix seconds now, by the server's clock as far as it is known: a phone's may be wrong. */
    public long getNowSeconds() {
        return nowSeconds;
    }

    @Override
    public String toString() {
        return "SignRequest(" + op + " " + fileId + ", until " + expiresAtSeconds + ")";
    }
}
