package com.cosslice.android;

import android.content.ContentResolver;
import android.content.res.AssetFileDescriptor;
import android.database.Cursor;
import android.net.Uri;
import android.os.ParcelFileDescriptor;
import android.provider.OpenableColumns;
import com.cosslice.Upload;
import java.io.FileInputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;

/**
 * Uploads what Android hands out instead of files: descriptors and content URIs. They block like all methods of {@link Upload}
 * that send, and throw what those throw.
 *
 * <p>A file behind a descriptor is read through that descriptor: another app's file could not be opened again by the name
 * that {@code /proc/self/fd} has for it. It is hashed first and continued like any file. A pipe can be read only once, as a
 * stream.
 */
public final class Contents {
    private Contents() {}

    /**
     * Uploads the file behind a descriptor, from its first byte on. The descriptor stays open, its position stays.
     *
     * @throws IOException also when there is a pipe or socket behind it: use {@link Upload#stream} with its size
     */
    public static void upload(Upload upload, ParcelFileDescriptor descriptor) throws IOException {
        if (descriptor.getStatSize() < 0) {
            throw new IOException("the descriptor is no file; upload it as a stream, with its size");
        }
        file(upload, descriptor, 0, -1);
    }

    /**
     * Uploads what a content URI names, such as a document or picture that the user chose. A provider that pipes its content
     * must tell its size.
     */
    public static void upload(Upload upload, ContentResolver resolver, Uri uri) throws IOException {
        AssetFileDescriptor asset = resolver.openAssetFileDescriptor(uri, "r");
        if (asset == null) {
            throw new FileNotFoundException("no provider opens " + uri);
        }
        try {
            ParcelFileDescriptor descriptor = asset.getParcelFileDescriptor();
            if (descriptor.getStatSize() >= 0) {
                file(upload, descriptor, asset.getStartOffset(), asset.getDeclaredLength());
                return;
            }
            long size = asset.getDeclaredLength();
            if (size < 0) {
                size = size(resolver, uri);
            }
            if (size < 0) {
                throw new IOException("the provider does not tell the size of " + uri + "; copy it to a file first");
            }
            InputStream in = asset.createInputStream();
            try {
                upload.stream(in, size);
            } finally {
                in.close();
            }
        } finally {
            asset.close();
        }
    }

    /** Through a duplicate, because an interrupt closes the channel that is being read. A length below 0: all there is. */
    private static void file(Upload upload, ParcelFileDescriptor descriptor, long offset, long length)
            throws IOException {
        FileInputStream in = new ParcelFileDescriptor.AutoCloseInputStream(descriptor.dup());
        try {
            upload.file(in.getChannel(), offset, length);
        } finally {
            in.close();
        }
    }

    /** What the provider says; -1 when it does not. */
    private static long size(ContentResolver resolver, Uri uri) {
        Cursor cursor = resolver.query(uri, new String[] {OpenableColumns.SIZE}, null, null, null);
        if (cursor == null) {
            return -1;
        }
        try {
            return cursor.moveToFirst() && !cursor.isNull(0) ? cursor.getLong(0) : -1;
        } finally {
            cursor.close();
        }
    }
}
