package com.cosslice;

/** The numbers of {@code enum cosslice_info}; the getters of {@link Upload} say what they mean. Those below 100 are texts. */
final class Info {
    static final int ACCESS_URL = 1;
    static final int SOURCE_URL = 2;
    static final int RESOURCE_PATH = 3;
    static final int URL = 4;
    static final int PREVIEW_URL = 5;
    static final int VID = 6;
    static final int SHA1 = 7;
    static final int MESSAGE = 8;
    static final int SERVER_MESSAGE = 9;
    static final int REQUEST_ID = 10;
    static final int RESUME_TOKEN = 11;
    static final int BYTES_TOTAL = 101;
    static final int BYTES_DONE = 102;
    static final int BYTES_RESUMED = 103;
    static final int NEXT_OFFSET = 104;
    static final int SLICE_SIZE = 105;
    static final int INSTANT = 106;
    static final int VERIFIED = 107;
    static final int HTTP_STATUS = 108;
    static final int SERVER_CODE = 109;
    static final int OS_ERROR = 110;
    static final int RETRYABLE = 111;
    static final int RETRIES = 112;
    static final int PHASE = 113;

    /** All texts from 1 up to this one. */
    static final int LAST_TEXT = RESUME_TOKEN;

    static final int FIRST_NUMBER = BYTES_TOTAL;
    static final int LAST_NUMBER = PHASE;

    private Info() {}
}
