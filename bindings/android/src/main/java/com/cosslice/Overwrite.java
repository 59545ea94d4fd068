package com.cosslice;

/** What an upload may do to what is there under its name. An object is never deleted to make room for the new one. */
public enum Overwrite {
    /** Fail with {@link ExistsException} when an object exists. */
    NEVER(0),
    /** Replace an object; it is there until the new one takes its place. */
    OBJECT(1),
    /** Also discard an unfinished upload of other content. */
    UNFINISHED(2);

    final int code;

    Overwrite(int code) {
        this.code = code;
    }
}
