package com.cosslice;

/** An argument is null, malformed or out of range. Nothing was changed. */
public final class InvalidArgumentException extends CossliceException {
    private static final long serialVersionUID = 1;

    InvalidArgumentException(String message) {
        super(message, new Details(Status.E_INVALID_ARG));
    }

    InvalidArgumentException(String message, Details details) {
        super(message, details);
    }
}
