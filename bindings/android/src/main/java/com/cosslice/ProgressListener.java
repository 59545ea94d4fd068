package com.cosslice;

/**
 * Hears how far an upload is.
 *
 * <p>Called on the thread that is inside a method of the upload, after each acknowledged slice and about ten times a second
 * while it waits; post to the main thread what concerns views. It may call {@link Upload#cancel}. What it throws stops the
 * upload and comes out of the method unchanged.
 */
public interface ProgressListener {
    /**
     * @param phase what is being done
     * @param bytesDone bytes read while hashing, bytes acknowledged by COS afterwards
     * @param bytesTotal bytes of the content; in {@link Upload#hash} those taken so far
     */
    void onProgress(Phase phase, long bytesDone, long bytesTotal);
}
