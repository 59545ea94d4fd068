package com.cosslice;

/** No memory for a slice. Lower {@code inFlight} or {@code sliceSize}. */
public final class NoMemoryException extends CossliceException {
    private static final long serialVersionUID = 1;

    NoMemoryException(String message, Details details) {
        super(message, details);
    }
}
