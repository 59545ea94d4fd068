package com.cosslice;

import static com.cosslice.Bytes.MIB;
import static com.cosslice.Check.bytes;
import static com.cosslice.Check.same;
import static com.cosslice.Check.test;
import static com.cosslice.Check.that;
import static com.cosslice.Check.thrown;

import android.content.ContentResolver;
import android.content.res.AssetFileDescriptor;
import android.database.Cursor;
import android.net.Uri;
import android.os.ParcelFileDescriptor;
import com.cosslice.android.Contents;
import com.cosslice.android.SystemRoots;
import java.io.File;
import java.io.FileInputStream;
import java.io.FileNotFoundException;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.security.KeyStore;
import java.security.KeyStoreSpi;
import java.security.Provider;
import java.security.Security;
import java.security.cert.Certificate;
import java.util.Arrays;
import java.util.Collections;
import java.util.Date;
import java.util.Enumeration;
import java.util.LinkedHashMap;
import java.util.Map;

/** What only Android has, over the stand-ins in tests/android/stubs. */
public final class AndroidMain {
    private AndroidMain() {}

    /** A provider that opens one thing, and says how large it is (below 0: it does not). */
    private static ContentResolver resolver(AssetFileDescriptor asset, long size) {
        return new ContentResolver() {
            @Override
            public AssetFileDescriptor openAssetFileDescriptor(Uri uri, String mode) {
                same("r", mode, "mode");
                return asset;
            }

            @Override
            public Cursor query(Uri uri, String[] projection, String selection, String[] arguments, String order) {
                same("_size", projection[0], "column");
                return new Cursor() {
                    @Override
                    public boolean moveToFirst() {
                        return true;
                    }

                    @Override
                    public boolean isNull(int column) {
                        return size < 0;
                    }

                    @Override
                    public long getLong(int column) {
                        return size;
                    }

                    @Override
                    public void close() {}
                };
            }
        };
    }

    /** A named pipe that a thread writes the content into, as a provider does. */
    private static ParcelFileDescriptor pipe(byte[] content) throws Exception {
        File name = new File(System.getProperty("cosslice.test.dir"), "pipe" + System.nanoTime());
        same(0, new ProcessBuilder("mkfifo", name.getPath()).start().waitFor(), "mkfifo");
        Thread writer = new Thread(() -> {
            try (OutputStream out = new FileOutputStream(name)) {
                out.write(content);
            } catch (IOException e) {
                // the reader went away
            }
        });
        writer.setDaemon(true);
        writer.start();
        return ParcelFileDescriptor.of(name.getPath());
    }

    /** Android's store, filled by the test. */
    public static final class Store extends KeyStoreSpi {
        static final Map<String, Certificate> CERTIFICATES = new LinkedHashMap<>();

        @Override
        public Enumeration<String> engineAliases() {
            return Collections.enumeration(CERTIFICATES.keySet());
        }

        @Override
        public Certificate engineGetCertificate(String alias) {
            return CERTIFICATES.get(alias);
        }

        @Override
        public void engineLoad(InputStream stream, char[] password) {}

        @Override
        public java.security.Key engineGetKey(String alias, char[] password) {
            return null;
        }

        @Override
        public Certificate[] engineGetCertificateChain(String alias) {
            return null;
        }

        @Override
        public Date engineGetCreationDate(String alias) {
            return null;
        }

        @Override
        public void engineSetKeyEntry(String alias, java.security.Key key, char[] password, Certificate[] chain) {}

        @Override
        public void engineSetKeyEntry(String alias, byte[] key, Certificate[] chain) {}

        @Override
        public void engineSetCertificateEntry(String alias, Certificate certificate) {}

        @Override
        public void engineDeleteEntry(String alias) {}

        @Override
        public boolean engineContainsAlias(String alias) {
            return CERTIFICATES.containsKey(alias);
        }

        @Override
        public int engineSize() {
            return CERTIFICATES.size();
        }

        @Override
        public boolean engineIsKeyEntry(String alias) {
            return false;
        }

        @Override
        public boolean engineIsCertificateEntry(String alias) {
            return true;
        }

        @Override
        public String engineGetCertificateAlias(Certificate certificate) {
            return null;
        }

        @Override
        public void engineStore(OutputStream stream, char[] password) {}
    }

    /** A certificate of bytes that are none. */
    private static Certificate broken() {
        return new Certificate("X.509") {
            @Override
            public byte[] getEncoded() {
                return new byte[] {1, 2, 3};
            }

            @Override
            public void verify(java.security.PublicKey key) {}

            @Override
            public void verify(java.security.PublicKey key, String provider) {}

            @Override
            public String toString() {
                return "broken";
            }

            @Override
            public java.security.PublicKey getPublicKey() {
                return null;
            }
        };
    }

    public static void main(String[] args) throws Exception {
        Uri uri = new Uri() {};
        byte[] all = Bytes.random(3 * MIB, 71);
        File file = Bytes.file(all, "content");

        test("android: a descriptor, which stays open", () -> {
            String name = Emulator.name();
            try (Config config = Emulator.builder().build();
                    Upload upload = new Upload(config, name);
                    ParcelFileDescriptor descriptor = ParcelFileDescriptor.of(file.getPath())) {
                Contents.upload(upload, descriptor);
                that(upload.isVerified(), "verified");
                that(descriptor.getFileDescriptor().valid(), "open");
            }
            bytes(all, Emulator.fetch(name), "the object");
        });
        test("android: a descriptor that is no file", () -> {
            try (Config config = Emulator.builder().build();
                    Upload upload = new Upload(config, Emulator.name());
                    ParcelFileDescriptor descriptor = ParcelFileDescriptor.of("/dev/zero")) {
                thrown(IOException.class, () -> Contents.upload(upload, descriptor));
            }
        });
        test("android: URIs of a file, a part of one, and pipes", () -> {
            byte[] part = Arrays.copyOfRange(all, 100, 100 + 2 * MIB);
            AssetFileDescriptor[] assets = {
                new AssetFileDescriptor(ParcelFileDescriptor.of(file.getPath()), 0, -1),
                new AssetFileDescriptor(ParcelFileDescriptor.of(file.getPath()), 100, part.length),
                new AssetFileDescriptor(pipe(all), 0, all.length),
                new AssetFileDescriptor(pipe(all), 0, -1),
            };
            byte[][] contents = {all, part, all, all};
            for (int i = 0; i < assets.length; i++) {
                String name = Emulator.name();
                try (Config config = Emulator.builder().build();
                        Upload upload = new Upload(config, name)) {
                    Contents.upload(upload, resolver(assets[i], i == 3 ? all.length : -1), uri);
                }
                bytes(contents[i], Emulator.fetch(name), "object " + i);
                thrown(IOException.class, () -> {
                    try (InputStream in = new FileInputStream(assets[0].getParcelFileDescriptor().getFileDescriptor())) {
                        in.read(); // it was closed
                    }
                });
            }
        });
        test("android: URIs that tell no size, the wrong one, or nothing", () -> {
            try (Config config = Emulator.builder().build()) {
                try (Upload upload = new Upload(config, Emulator.name())) {
                    AssetFileDescriptor asset = new AssetFileDescriptor(pipe(all), 0, -1);
                    thrown(IOException.class, () -> Contents.upload(upload, resolver(asset, -1), uri));
                    thrown(FileNotFoundException.class, () -> Contents.upload(upload, resolver(null, -1), uri));
                }
                try (Upload upload = new Upload(config, Emulator.name())) {
                    AssetFileDescriptor asset = new AssetFileDescriptor(pipe(all), 0, -1);
                    thrown(SourceChangedException.class,
                            () -> Contents.upload(upload, resolver(asset, all.length + 1), uri));
                }
            }
        });
        test("android: no store of authorities", () -> thrown(IOException.class, SystemRoots::pem));
        test("android: the phone's authorities, without the user's and what is broken", () -> {
            KeyStore desktop = KeyStore.getInstance(
                    new File(System.getProperty("java.home"), "lib/security/cacerts"), "changeit".toCharArray());
            int count = 0;
            for (String alias : Collections.list(desktop.aliases())) {
                Store.CERTIFICATES.put("system:" + alias, desktop.getCertificate(alias));
                count++;
            }
            that(count > 50, "authorities of this machine");
            Store.CERTIFICATES.put("user:one", Store.CERTIFICATES.values().iterator().next());
            Store.CERTIFICATES.put("system:broken", broken());
            Provider provider = new Provider("Test", "1", "") {};
            provider.put("KeyStore.AndroidCAStore", Store.class.getName());
            Security.addProvider(provider);
            String pem = SystemRoots.pem();
            same(count, pem.split("-----BEGIN CERTIFICATE-----", -1).length - 1, "certificates");
            Emulator.builder().caPem(pem).build().close();
        });
        System.exit(Check.finish());
    }
}
