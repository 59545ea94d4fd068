package com.cosslice;

/** The signer refused, or COS refused the signature and then a fresh one. */
public final class AuthException extends CossliceException {
    private static final long serialVersionUID = 1;

    AuthException(String message, Details details) {
        super(message, details);
    }
}
