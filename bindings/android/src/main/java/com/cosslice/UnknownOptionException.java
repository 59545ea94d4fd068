package com.cosslice;

/** There is no such option. */
public final class UnknownOptionException extends CossliceException {
    private static final long serialVersionUID = 1;

    UnknownOptionException(String message, Details details) {
        super(message, details);
    }
}
