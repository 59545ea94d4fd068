package com.cosslice;

/** How much a log line matters. */
public enum LogLevel {
    /** The upload fails. */
    ERROR(1),
    /** Something went wrong and is being dealt with. */
    WARN(2),
    /** The steps of an upload. */
    INFO(3),
    /** Every request. */
    DEBUG(4);

    final int code;

    LogLevel(int code) {
        this.code = code;
    }

    static LogLevel of(int code) {
        for (LogLevel level : values()) {
            if (level.code == code) {
                return level;
            }
        }
        return DEBUG;
    }
}
