package com.cosslice;

/** The bucket or the parent directory does not exist. */
public final class NotFoundException extends CossliceException {
    private static final long serialVersionUID = 1;

    NotFoundException(String message, Details details) {
        super(message, details);
    }
}
