package android.database;

import java.io.Closeable;

/** As Android's. */
public interface Cursor extends Closeable {
    boolean moveToFirst();

    boolean isNull(int column);

    long getLong(int column);

    @Override
    void close();
}
