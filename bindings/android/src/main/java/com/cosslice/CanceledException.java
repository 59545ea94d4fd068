package com.cosslice;

/** The upload was canceled, or its thread interrupted. Upload again to continue. */
public final class CanceledException extends CossliceException {
    private static final long serialVersionUID = 1;

    CanceledException(String message, Details details) {
        super(message, details);
    }
}
