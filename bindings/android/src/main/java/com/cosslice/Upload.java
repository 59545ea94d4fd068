package com.cosslice;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;

/**
 * One upload of one object: a whole content by {@code file}, {@code stream} or {@code buffer}, or in pieces by {@code hash}
 * (optional, over all of it), {@code init}, {@code seek} (optional), {@code feed} over all of it and {@code finish}.
 *
 * <pre>{@code
 * try (Upload upload = new Upload(config, "/videos/a.mp4")) {
 *     upload.file(new File("a.mp4"));
 *     show(upload.getAccessUrl());
 * }
 * }</pre>
 *
 * <p>Methods that send block until the server has answered: not for the main thread. They throw a {@link CossliceException},
 * or what a callback threw. A failure is final (but {@link InvalidArgumentException}, {@link StateException} and {@link
 * BusyException} change nothing): to go on, make another upload, which continues where the server stands if the content is
 * known to be the same, because it was hashed or a resume token is given.
 *
 * <p>One thread at a time may be in such a method; another one, or a callback, gets {@link BusyException}. {@link #cancel},
 * {@link #close} and the getters may be called by any thread at any time. An interrupt of the thread that is in a method ends
 * it as {@link #cancel} does; the thread stays interrupted.
 *
 * <p>Numbers are -1 and texts "" while they are not known; texts also while a method is running. Both can still be read after
 * {@link #close}.
 */
public final class Upload implements AutoCloseable {
    /** What is copied at a time, and the most that is copied as a whole. */
    private static final int PIECE = 1 << 20;

    private static final int STREAM_PIECE = 1 << 16;

    private final String path;
    private final Hooks hooks;
    private final Handle handle;
    private final boolean hashes;

    /** Guards the fields below, and keeps the native upload alive in short calls. */
    private final Object lock = new Object();

    private boolean inCall;
    private boolean closing;
    private String[] lastTexts;
    private long[] lastNumbers;

    /**
     * @param config is copied: it may be closed
     * @param path the object, begins with '/', not encoded
     */
    public Upload(Config config, String path) throws CossliceException {
        this(config, path, "");
    }

    /**
     * Continues an upload by {@code feed} or {@code stream} that broke off.
     *
     * @param resumeToken {@link #getResumeToken} of the upload that broke off, for the same path and content; "" for none
     */
    public Upload(Config config, String path, String resumeToken) throws CossliceException {
        if (config == null) {
            throw new InvalidArgumentException("the config is null");
        }
        Handle.freeGarbage();
        hooks = new Hooks(config.signer, config.logger, null);
        hashes = config.hash;
        handle = new UploadHandle(this, config.newUpload(path, resumeToken, hooks));
        this.path = path;
    }

    /** The object, as it was given. */
    public String getPath() {
        return path;
    }

    public ProgressListener getProgressListener() {
        return hooks.progress;
    }

    /** Who hears how far the upload is; may be exchanged at any time. Null: nobody. */
    public void setProgressListener(ProgressListener listener) {
        hooks.progress = listener;
    }

    // Whole contents

    /** Uploads a file by its name. {@link FileException} when it cannot be read. */
    public void file(String path) throws IOException {
        byte[] encoded = Text.encode(path, "the file's path");
        long upload = begin();
        try {
            check(upload, Native.uploadFile(upload, hooks, encoded));
        } finally {
            end();
        }
    }

    /** Uploads a file. {@link FileException} when it cannot be read. */
    public void file(File file) throws IOException {
        file(file == null ? null : file.getPath());
    }

    /** Uploads all of an open file; see {@link #file(FileChannel, long, long)}. */
    public void file(FileChannel channel) throws IOException {
        file(channel, 0, -1);
    }

    /**
     * Uploads a part of an open file, as {@code file} does one that has a name: hashed first, continued where the server
     * stands. It is read through the channel, which need not be permitted to be opened again; its position is neither heeded
     * nor moved, it is not closed. (Like all of Java's channels it is closed when its thread is interrupted while reading.)
     *
     * @param length bytes; below 0 all that there are
     */
    public void file(FileChannel channel, long offset, long length) throws IOException {
        if (channel == null) {
            throw new InvalidArgumentException("the channel is null");
        }
        if (offset < 0) {
            throw new InvalidArgumentException("the offset is negative");
        }
        long upload = begin();
        try {
            Content content = new Content.Channel(channel, offset, length);
            long size = content.size();
            if (length >= 0 && size != length) {
                throw new InvalidArgumentException(
                        "the file has " + size + " bytes from offset " + offset + " on, not " + length);
            }
            whole(upload, content, size);
        } catch (ClosedByInterruptException e) {
            CossliceException canceled =
                    new CanceledException(
                            "the thread was interrupted", new CossliceException.Details(Status.E_CANCELED));
            canceled.initCause(e);
            throw canceled;
        } finally {
            end();
        }
    }

    /**
     * Uploads what a stream yields until its end, which must be {@code size} bytes. It is read once, so that nothing is known
     * of the content before: to continue later, give {@link #getResumeToken} to the next upload and a stream from the
     * beginning; what the server has is compared and not sent again. The stream is not closed; what it throws comes out
     * unchanged. Neither {@link #cancel} nor an interrupt can wake a stream that blocks, unless it does so itself.
     */
    public void stream(InputStream in, long size) throws IOException {
        if (in == null) {
            throw new InvalidArgumentException("the stream is null");
        }
        notNegative(size, "the size");
        long upload = begin();
        try {
            check(upload, Native.uploadInit(upload, hooks, size));
            byte[] piece = new byte[STREAM_PIECE];
            for (int count = in.read(piece); count >= 0; count = in.read(piece)) {
                check(upload, Native.uploadFeed(upload, hooks, piece, 0, count));
            }
            check(upload, Native.uploadFinish(upload, hooks));
        } finally {
            end();
        }
    }

    /**
     * Uploads the bytes between a buffer's position and its limit, which must not change meanwhile; position and limit stay.
     * A direct buffer is not copied; others are in pieces of at most 1 MiB.
     */
    public void buffer(ByteBuffer data) throws IOException {
        ByteBuffer view = view(data);
        long upload = begin();
        try {
            if (view.isDirect()) {
                check(
                        upload,
                        Native.uploadBufferDirect(upload, hooks, view, view.position(), view.remaining()));
            } else {
                whole(upload, new Content.Heap(view), view.remaining());
            }
        } finally {
            end();
        }
    }

    /** Uploads an array, which must not change meanwhile. It is copied in pieces of at most 1 MiB. */
    public void buffer(byte[] data) throws IOException {
        buffer(data == null ? null : ByteBuffer.wrap(data));
    }

    // In pieces

    /**
     * Takes the next bytes of an optional first pass over the content, before {@link #init}. It allows an instant upload, the
     * server's own check and resuming without a token. Sends nothing. Moves the buffer's position to its limit.
     */
    public void hash(ByteBuffer data) throws IOException {
        pass(data, false);
    }

    public void hash(byte[] data) throws IOException {
        pass(data == null ? null : ByteBuffer.wrap(data), false);
    }

    public void hash(byte[] data, int offset, int length) throws IOException {
        pass(part(data, offset, length), false);
    }

    /** Starts or continues the upload of {@code totalSize} bytes. */
    public void init(long totalSize) throws IOException {
        notNegative(totalSize, "totalSize");
        long upload = begin();
        try {
            check(upload, Native.uploadInit(upload, hooks, totalSize));
        } finally {
            end();
        }
    }

    /** Says, before the first feed, that it starts at {@code offset}, which is at most {@link #getNextOffset}. */
    public void seek(long offset) throws CossliceException {
        notNegative(offset, "the offset");
        long upload = begin();
        try {
            check(upload, Native.uploadSeek(upload, hooks, offset));
        } finally {
            end();
        }
    }

    /**
     * Takes the next bytes, as many as there are; they are the caller's again afterwards. Blocks while too many slices are on
     * their way. Moves the buffer's position to its limit.
     */
    public void feed(ByteBuffer data) throws IOException {
        pass(data, true);
    }

    public void feed(byte[] data) throws IOException {
        pass(data == null ? null : ByteBuffer.wrap(data), true);
    }

    public void feed(byte[] data, int offset, int length) throws IOException {
        pass(part(data, offset, length), true);
    }

    /** Waits for the slices on their way and puts the object together. */
    public void finish() throws IOException {
        long upload = begin();
        try {
            check(upload, Native.uploadFinish(upload, hooks));
        } finally {
            end();
        }
    }

    // Ending

    /**
     * Ends the upload: the method that is running, or the next one, throws {@link CanceledException} within 250 ms. Does not
     * block. What the server has stays there, and another upload continues it.
     */
    public void cancel() {
        synchronized (lock) {
            long upload = handle.address();
            if (upload != 0) {
                Native.uploadCancel(upload);
            }
        }
    }

    /**
     * Frees the upload. One that is not finished is canceled, which takes at most 250 ms. When another thread, or the callback
     * that closes, is inside a method, that method is canceled and frees the upload when it ends. Closing again does nothing.
     */
    @Override
    public void close() {
        long ended = 0;
        synchronized (lock) {
            if (inCall) {
                closing = true;
                cancel();
            } else {
                ended = takeLast();
            }
        }
        handle.release(ended);
    }

    // Results

    /** Where the object is served by the CDN; after success. */
    public String getAccessUrl() {
        return text(Info.ACCESS_URL);
    }

    /** Where the object is served by its origin; after success. */
    public String getSourceUrl() {
        return text(Info.SOURCE_URL);
    }

    /** The object's id, {@code /appid/bucket/path}; after success. */
    public String getResourcePath() {
        return text(Info.RESOURCE_PATH);
    }

    /** The URL for further operations on the object; after success. */
    public String getUrl() {
        return text(Info.URL);
    }

    /** Where the object is previewed; after success, when COS said so. */
    public String getPreviewUrl() {
        return text(Info.PREVIEW_URL);
    }

    /** Id of an operation that the upload started; after success, when COS said so. */
    public String getVid() {
        return text(Info.VID);
    }

    /** SHA-1 of the content in lower-case hex, once it is known. */
    public String getSha1() {
        return text(Info.SHA1);
    }

    /** Whether the server had the content already and nothing was sent. */
    public boolean isInstant() {
        return number(Info.INSTANT) == 1;
    }

    /** Whether the server is known to hold exactly these bytes. */
    public boolean isVerified() {
        return number(Info.VERIFIED) == 1;
    }

    // State

    public Phase getPhase() {
        return Phase.of((int) number(Info.PHASE));
    }

    public long getBytesTotal() {
        return number(Info.BYTES_TOTAL);
    }

    /** Bytes acknowledged by COS; never decreases. */
    public long getBytesDone() {
        return number(Info.BYTES_DONE);
    }

    /** Of these, bytes that were found on the server and not sent again. */
    public long getBytesResumed() {
        return number(Info.BYTES_RESUMED);
    }

    /** The first byte that the server lacks, after {@link #init}: where a caller that can seek goes on. */
    public long getNextOffset() {
        return number(Info.NEXT_OFFSET);
    }

    /** Bytes of a slice, as the server wants it. */
    public long getSliceSize() {
        return number(Info.SLICE_SIZE);
    }

    /** Requests that had to be sent again so far. */
    public long getRetries() {
        return number(Info.RETRIES);
    }

    /**
     * What the third argument of the constructor takes to continue an upload by {@code feed} or {@code stream}; also after a
     * failure. Printable ASCII, about 27 characters for each slice fed; "" when there is nothing to continue.
     */
    public String getResumeToken() {
        return text(Info.RESUME_TOKEN);
    }

    // The last failure, as its exception tells it

    /** Why the last method failed, in one sentence. */
    public String getMessage() {
        return text(Info.MESSAGE);
    }

    /** Whether the same upload may well succeed when it is tried again later. */
    public boolean isRetryable() {
        return number(Info.RETRYABLE) == 1;
    }

    // The order of things

    /** Takes the upload for this thread. */
    private long begin() throws CossliceException {
        synchronized (lock) {
            long upload = handle.address();
            if (closing || upload == 0) {
                throw new StateException("the upload is closed");
            }
            if (inCall) {
                throw new BusyException("another thread, or the callback that you are in, is using the upload");
            }
            inCall = true;
            return upload;
        }
    }

    /** Gives it back, and frees it when it was closed meanwhile. */
    private void end() {
        long ended = 0;
        synchronized (lock) {
            inCall = false;
            if (closing) {
                ended = takeLast();
            }
        }
        handle.release(ended);
    }

    /** Under the lock, when no call is running: remembers what can be asked. The native upload is to be released, outside. */
    private long takeLast() {
        long upload = handle.address();
        if (upload == 0) {
            return 0;
        }
        String[] texts = new String[Info.LAST_TEXT + 1];
        for (int info = 1; info <= Info.LAST_TEXT; info++) {
            texts[info] = Text.decode(Native.uploadText(upload, info));
        }
        long[] numbers = new long[Info.LAST_NUMBER - Info.FIRST_NUMBER + 1];
        for (int i = 0; i < numbers.length; i++) {
            numbers[i] = Native.uploadNumber(upload, Info.FIRST_NUMBER + i);
        }
        lastTexts = texts;
        lastNumbers = numbers;
        return handle.take();
    }

    private String text(int info) {
        synchronized (lock) {
            if (lastTexts != null) {
                return lastTexts[info];
            }
            // A text lives until the next call, and one may follow the other in a method that is running.
            return inCall ? "" : Text.decode(Native.uploadText(handle.address(), info));
        }
    }

    private long number(int info) {
        synchronized (lock) {
            return lastNumbers != null
                    ? lastNumbers[info - Info.FIRST_NUMBER]
                    : Native.uploadNumber(handle.address(), info);
        }
    }

    /** Throws the failure of the call that this thread has just made. */
    private static void check(long upload, int status) throws CossliceException {
        if (status == Status.OK) {
            return;
        }
        CossliceException.Details details = new CossliceException.Details(status);
        details.serverCode = known(Native.uploadNumber(upload, Info.SERVER_CODE));
        details.serverMessage = Text.decode(Native.uploadText(upload, Info.SERVER_MESSAGE));
        details.httpStatus = (int) known(Native.uploadNumber(upload, Info.HTTP_STATUS));
        details.requestId = Text.decode(Native.uploadText(upload, Info.REQUEST_ID));
        details.osError = (int) known(Native.uploadNumber(upload, Info.OS_ERROR));
        details.retryable = Native.uploadNumber(upload, Info.RETRYABLE) == 1;
        details.resumeToken = Text.decode(Native.uploadText(upload, Info.RESUME_TOKEN));
        String message = Text.decode(Native.uploadText(upload, Info.MESSAGE));
        throw CossliceException.of(
                message.isEmpty() ? Text.decode(Native.statusText(status)) : message, details);
    }

    private static long known(long number) {
        return number == -1 ? 0 : number;
    }

    // Contents

    /** What the library does for a file by its name, for a content that it cannot read itself. */
    private void whole(long upload, Content content, long size) throws IOException {
        ByteBuffer piece = ByteBuffer.allocateDirect((int) Math.min(size, PIECE));
        if (size <= PIECE) {
            read(content, 0, piece, size);
            unchanged(content, size);
            check(upload, Native.uploadBufferDirect(upload, hooks, piece, 0, piece.limit()));
            return;
        }
        hooks.expected = size;
        for (long at = 0; hashes && at < size; at += piece.limit()) {
            read(content, at, piece, size);
            check(upload, Native.uploadHashDirect(upload, hooks, piece, 0, piece.limit()));
        }
        check(upload, Native.uploadInit(upload, hooks, size));
        // What was not hashed is fed from its beginning, so that it is compared with what is known of it.
        long start = hashes ? Native.uploadNumber(upload, Info.NEXT_OFFSET) : 0;
        if (start > 0) {
            check(upload, Native.uploadSeek(upload, hooks, start));
        }
        for (long at = start; at < size; at += piece.limit()) {
            read(content, at, piece, size);
            check(upload, Native.uploadFeedDirect(upload, hooks, piece, 0, piece.limit()));
        }
        unchanged(content, size);
        check(upload, Native.uploadFinish(upload, hooks));
    }

    /** Fills a piece with the bytes from {@code at} on. */
    private static void read(Content content, long at, ByteBuffer piece, long size) throws IOException {
        piece.clear();
        piece.limit((int) Math.min(piece.capacity(), size - at));
        content.read(at, piece);
        if (piece.hasRemaining()) {
            throw changed("the file ends at byte " + (at + piece.position()) + ", it had " + size);
        }
    }

    private static void unchanged(Content content, long size) throws IOException {
        long now = content.size();
        if (now != size) {
            throw changed("the file has " + now + " bytes, it had " + size);
        }
    }

    private static CossliceException changed(String message) {
        return new SourceChangedException(
                message + "; upload it when it is left alone",
                new CossliceException.Details(Status.E_SOURCE_CHANGED));
    }

    /** Hashes or feeds all of a buffer. */
    private void pass(ByteBuffer data, boolean feed) throws IOException {
        ByteBuffer view = view(data);
        int end = view.limit();
        long upload = begin();
        try {
            if (view.isDirect()) {
                int from = view.position();
                check(
                        upload,
                        feed
                                ? Native.uploadFeedDirect(upload, hooks, view, from, end - from)
                                : Native.uploadHashDirect(upload, hooks, view, from, end - from));
            } else if (view.hasArray()) {
                pass(upload, feed, view.array(), view.arrayOffset() + view.position(), view.remaining());
            } else {
                byte[] piece = new byte[Math.min(view.remaining(), STREAM_PIECE)];
                do {
                    int length = Math.min(view.remaining(), piece.length);
                    view.get(piece, 0, length);
                    pass(upload, feed, piece, 0, length);
                } while (view.hasRemaining());
            }
        } finally {
            end();
        }
        data.position(end);
    }

    private void pass(long upload, boolean feed, byte[] data, int offset, int length) throws IOException {
        check(
                upload,
                feed
                        ? Native.uploadFeed(upload, hooks, data, offset, length)
                        : Native.uploadHash(upload, hooks, data, offset, length));
    }

    /** The buffer with a position and limit that nobody else moves. */
    private static ByteBuffer view(ByteBuffer data) throws InvalidArgumentException {
        if (data == null) {
            throw new InvalidArgumentException("the data is null");
        }
        return data.duplicate();
    }

    private static ByteBuffer part(byte[] data, int offset, int length) throws InvalidArgumentException {
        if (data == null) {
            throw new InvalidArgumentException("the data is null");
        }
        if (offset < 0 || length < 0 || length > data.length - offset) {
            throw new InvalidArgumentException(
                    "offset " + offset + " and length " + length + " do not fit an array of " + data.length);
        }
        return ByteBuffer.wrap(data, offset, length);
    }

    private static void notNegative(long number, String what) throws InvalidArgumentException {
        if (number < 0) {
            throw new InvalidArgumentException(what + " is negative");
        }
    }

    private static final class UploadHandle extends Handle {
        UploadHandle(Upload owner, long address) {
            super(owner, address);
        }

        @Override
        void release(long address) {
            Native.uploadFree(address);
        }
    }
}
