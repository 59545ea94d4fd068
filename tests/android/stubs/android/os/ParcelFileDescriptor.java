package android.os;

import java.io.Closeable;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;

/** As Android's, over a descriptor of the desktop's Linux. */
public class ParcelFileDescriptor implements Closeable {
    private final FileInputStream in;
    private final Path name;

    /** Not Android's: its constructor takes another descriptor. */
    public static ParcelFileDescriptor of(String name) throws IOException {
        return new ParcelFileDescriptor(Paths.get(name));
    }

    private ParcelFileDescriptor(Path name) throws IOException {
        this.name = name;
        in = new FileInputStream(name.toFile());
    }

    public ParcelFileDescriptor dup() throws IOException {
        return new ParcelFileDescriptor(name);
    }

    public FileDescriptor getFileDescriptor() {
        try {
            return in.getFD();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    public long getStatSize() {
        return Files.isRegularFile(name) ? name.toFile().length() : -1;
    }

    @Override
    public void close() throws IOException {
        in.close();
    }

    public static class AutoCloseInputStream extends FileInputStream {
        private final ParcelFileDescriptor descriptor;

        public AutoCloseInputStream(ParcelFileDescriptor descriptor) {
            super(descriptor.getFileDescriptor());
            this.descriptor = descriptor;
        }

        @Override
        public void close() throws IOException {
            descriptor.close();
        }
    }
}
