package com.cosslice;

/** The call does not fit what was done before, or the object is closed. Nothing was changed. */
public final class StateException extends CossliceException {
    private static final long serialVersionUID = 1;

    StateException(String message) {
        super(message, new Details(Status.E_STATE));
    }

    StateException(String message, Details details) {
        super(message, details);
    }
}
