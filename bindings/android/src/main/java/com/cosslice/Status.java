package com.cosslice;

/** The numbers of {@code enum cosslice_code}. Each but {@link #OK} has an exception class, which says what it means. */
public final class Status {
    public static final int OK = 0;
    public static final int E_INVALID_ARG = -1;
    public static final int E_STATE = -2;
    public static final int E_BUSY = -3;
    public static final int E_UNKNOWN_OPTION = -4;
    public static final int E_NOMEM = -5;
    public static final int E_FILE = -6;
    public static final int E_SOURCE_CHANGED = -7;
    public static final int E_NETWORK = -8;
    public static final int E_TLS = -9;
    public static final int E_TIMEOUT = -10;
    public static final int E_PROTOCOL = -11;
    public static final int E_SERVER = -12;
    public static final int E_AUTH = -13;
    public static final int E_EXISTS = -14;
    public static final int E_CANCELED = -15;
    public static final int E_FORKED = -16;
    public static final int E_CONFLICT = -17;
    public static final int E_INTEGRITY = -18;
    public static final int E_NOT_FOUND = -19;
    public static final int E_PANIC = -99;

    private Status() {}
}
