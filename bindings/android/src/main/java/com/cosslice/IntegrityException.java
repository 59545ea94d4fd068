package com.cosslice;

/** Server and client disagree about the content. */
public final class IntegrityException extends CossliceException {
    private static final long serialVersionUID = 1;

    IntegrityException(String message, Details details) {
        super(message, details);
    }
}
