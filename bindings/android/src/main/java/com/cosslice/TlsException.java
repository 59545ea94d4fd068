package com.cosslice;

/** The server's certificate could not be verified; the message says why. */
public final class TlsException extends CossliceException {
    private static final long serialVersionUID = 1;

    TlsException(String message, Details details) {
        super(message, details);
    }
}
