package com.cosslice.android;

import android.util.Base64;
import com.cosslice.Config;
import com.cosslice.InvalidArgumentException;
import java.io.IOException;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.util.Collections;

/**
 * The certificate authorities that the phone trusts, for {@link Config.Builder#caPem}.
 *
 * <p>It works without: Mozilla's authorities are built in. The phone's own are updated when the app is not, and have those
 * of its vendor or administrator. Authorities that the user installed are left out, as Android does for its own connections.
 */
public final class SystemRoots {
    private SystemRoots() {}

    /** All of them, in PEM. Reads about 150 files: call it once, not on the main thread. */
    public static String pem() throws IOException {
        StringBuilder all = new StringBuilder();
        try {
            KeyStore store = KeyStore.getInstance("AndroidCAStore");
            store.load(null, null);
            for (String alias : Collections.list(store.aliases())) {
                if (alias.startsWith("system:")) {
                    String one = pem(store.getCertificate(alias));
                    if (readable(one)) {
                        all.append(one);
                    }
                }
            }
        } catch (GeneralSecurityException e) {
            throw new IOException("the phone's certificate authorities cannot be read", e);
        }
        return all.toString();
    }

    private static String pem(Certificate certificate) throws GeneralSecurityException {
        return "-----BEGIN CERTIFICATE-----\n"
                + Base64.encodeToString(certificate.getEncoded(), Base64.DEFAULT).trim()
                + "\n-----END CERTIFICATE-----\n";
    }

    /** The library refuses a text with a certificate that it cannot read; one old certificate must not spoil all. */
    private static boolean readable(String pem) throws IOException {
        try {
            new Config.Builder().caPem(pem).build().close();
            return true;
        } catch (InvalidArgumentException e) {
            return false;
        }
    }
}
