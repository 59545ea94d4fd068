package com.cosslice;

import java.io.IOException;

/**
 * Gets signatures from wherever the secret key is, which should not be a phone: from a server of yours that knows the user
 * and decides.
 *
 * <p>Called on the thread that is inside a method of an upload, so it may block; the upload waits. Uploads on several threads
 * call it at the same time.
 */
public interface Signer {
    /**
     * @return the signature (the value of the {@code Authorization} header), which is used for further requests until it
     *     ends by its own words; null or "" refuses, and the upload ends with {@link AuthException}
     * @throws IOException comes out of the upload's method unchanged, as does anything else that is thrown
     */
    String sign(SignRequest request) throws IOException;
}
