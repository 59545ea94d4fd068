package com.cosslice;

/** The server was silent too long, after all retries. Upload again to continue. */
public final class TimedOutException extends CossliceException {
    private static final long serialVersionUID = 1;

    TimedOutException(String message, Details details) {
        super(message, details);
    }
}
