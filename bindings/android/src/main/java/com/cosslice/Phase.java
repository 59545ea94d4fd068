package com.cosslice;

/** What the library is doing with the content. */
public enum Phase {
    /** Nothing yet. */
    IDLE(0),
    /** Reading it for its digest; progress counts bytes read. */
    HASHING(1),
    /** Sending slices; progress counts bytes that COS has acknowledged. */
    SENDING(2),
    /** The server puts the object together. */
    FINISHING(3),
    /** The object is there. */
    DONE(4);

    final int code;

    Phase(int code) {
        this.code = code;
    }

    static Phase of(int code) {
        for (Phase phase : values()) {
            if (phase.code == code) {
                return phase;
            }
        }
        return IDLE;
    }
}
