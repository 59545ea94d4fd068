package com.cosslice;

/** The upload or config was made before a fork and is used in the child. */
public final class ForkedException extends CossliceException {
    private static final long serialVersionUID = 1;

    ForkedException(String message, Details details) {
        super(message, details);
    }
}
