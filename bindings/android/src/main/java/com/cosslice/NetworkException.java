package com.cosslice;

/** The network failed, after all retries. Upload again to continue. */
public final class NetworkException extends CossliceException {
    private static final long serialVersionUID = 1;

    NetworkException(String message, Details details) {
        super(message, details);
    }
}
