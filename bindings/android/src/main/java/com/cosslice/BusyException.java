package com.cosslice;

/** Another thread, or the callback that you are in, is using the upload. Nothing was changed. */
public final class BusyException extends CossliceException {
    private static final long serialVersionUID = 1;

    BusyException(String message) {
        super(message, new Details(Status.E_BUSY));
    }

    BusyException(String message, Details details) {
        super(message, details);
    }
}
