package com.cosslice;

/**
 * An unfinished upload of other or unknown content holds the name. {@link Overwrite#UNFINISHED} discards it; a resume
 * token or a hash continues it.
 */
public final class ConflictException extends CossliceException {
    private static final long serialVersionUID = 1;

    ConflictException(String message, Details details) {
        super(message, details);
    }
}
