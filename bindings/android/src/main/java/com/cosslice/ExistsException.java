package com.cosslice;

/** An object exists under the name and {@link Overwrite} does not allow to replace it. It was not touched. */
public final class ExistsException extends CossliceException {
    private static final long serialVersionUID = 1;

    ExistsException(String message, Details details) {
        super(message, details);
    }
}
