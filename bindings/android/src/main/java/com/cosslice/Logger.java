package com.cosslice;

/**
 * Takes log lines, which never hold a secret. Called on the thread that is inside a method of an upload. What it throws stops
 * the upload and comes out of the method unchanged.
 */
public interface Logger {
    void log(LogLevel level, String message);
}
