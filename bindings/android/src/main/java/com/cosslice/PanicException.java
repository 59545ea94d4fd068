package com.cosslice;

/** A bug in the library. The upload can only be read and closed. */
public final class PanicException extends CossliceException {
    private static final long serialVersionUID = 1;

    PanicException(String message, Details details) {
        super(message, details);
    }
}
