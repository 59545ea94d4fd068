package com.cosslice;

/** The local file could not be read; {@link #getOsError} has errno. */
public final class FileException extends CossliceException {
    private static final long serialVersionUID = 1;

    FileException(String message, Details details) {
        super(message, details);
    }
}
