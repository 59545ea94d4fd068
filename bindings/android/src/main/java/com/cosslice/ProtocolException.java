package com.cosslice;

/** The reply was not one that COS makes: HTML of a proxy or portal, cut JSON. */
public final class ProtocolException extends CossliceException {
    private static final long serialVersionUID = 1;

    ProtocolException(String message, Details details) {
        super(message, details);
    }
}
