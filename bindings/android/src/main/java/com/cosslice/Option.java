package com.cosslice;

/** The numbers of {@code enum cosslice_option}; {@link Config.Builder} says what they mean. Those below 100 are texts. */
final class Option {
    static final int APP_ID = 1;
    static final int BUCKET = 2;
    static final int REGION = 3;
    static final int ENDPOINT = 4;
    static final int SECRET_ID = 5;
    static final int SECRET_KEY = 6;
    static final int AUTHORIZATION = 7;
    static final int BIZ_ATTR = 8;
    static final int RESUME_TOKEN = 9;
    static final int CA_PEM = 10;
    static final int PROXY = 11;
    static final int USER_AGENT = 12;
    static final int SLICE_SIZE = 101;
    static final int IN_FLIGHT = 102;
    static final int RETRIES = 103;
    static final int CONNECT_TIMEOUT_MS = 104;
    static final int IO_TIMEOUT_MS = 105;
    static final int SIGN_TTL_S = 106;
    static final int OVERWRITE = 107;
    static final int RESUME = 108;
    static final int HASH = 109;
    static final int VERIFY = 110;
    static final int SINGLE_MAX = 111;
    static final int BANDWIDTH = 112;

    private Option() {}
}
