package com.cosslice;

/** COS refused; {@link #getServerCode} has its number. */
public final class ServerException extends CossliceException {
    private static final long serialVersionUID = 1;

    ServerException(String message, Details details) {
        super(message, details);
    }
}
