package android.content.res;

import android.os.ParcelFileDescriptor;
import java.io.Closeable;
import java.io.FileInputStream;
import java.io.IOException;

/** As Android's. */
public class AssetFileDescriptor implements Closeable {
    private final ParcelFileDescriptor descriptor;
    private final long offset;
    private final long length;

    public AssetFileDescriptor(ParcelFileDescriptor descriptor, long offset, long length) {
        this.descriptor = descriptor;
        this.offset = offset;
        this.length = length;
    }

    public ParcelFileDescriptor getParcelFileDescriptor() {
        return descriptor;
    }

    public long getStartOffset() {
        return offset;
    }

    public long getDeclaredLength() {
        return length;
    }

    public FileInputStream createInputStream() throws IOException {
        return new ParcelFileDescriptor.AutoCloseInputStream(descriptor);
    }

    @Override
    public void close() throws IOException {
        descriptor.close();
    }
}
