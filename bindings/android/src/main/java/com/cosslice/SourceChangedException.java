package com.cosslice;

/**
 * The bytes differ from the size announced or from those that were hashed, or the file changed while it was
 * uploaded. Nothing of other content was sent.
 */
public final class SourceChangedException extends CossliceException {
    private static final long serialVersionUID = 1;

    SourceChangedException(String message, Details details) {
        super(message, details);
    }
}
