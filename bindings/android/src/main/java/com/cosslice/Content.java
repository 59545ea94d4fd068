package com.cosslice;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;

/** A whole content that can be read anywhere, but neither lies in native memory nor has a name. */
interface Content {
    /** Bytes, as of now. */
    long size() throws IOException;

    /** Reads bytes from {@code at} on into a buffer until that is full; fewer only when the content has no more. */
    void read(long at, ByteBuffer piece) throws IOException;

    /** A part of an array. */
    final class Heap implements Content {
        private final ByteBuffer data;

        Heap(ByteBuffer data) {
            this.data = data.slice();
        }

        @Override
        public long size() {
            return data.limit();
        }

        @Override
        public void read(long at, ByteBuffer piece) {
            ByteBuffer part = data.duplicate();
            part.position((int) at);
            part.limit((int) at + Math.min(part.remaining(), piece.remaining()));
            piece.put(part);
        }
    }

    /** A part of an open file, or all of it. Does not move the file's position. */
    final class Channel implements Content {
        private final FileChannel channel;
        private final long offset;
        private final long length;

        /** A length below 0: all from the offset on. */
        Channel(FileChannel channel, long offset, long length) {
            this.channel = channel;
            this.offset = offset;
            this.length = length;
        }

        @Override
        public long size() throws IOException {
            long there = Math.max(0, channel.size() - offset);
            return length < 0 ? there : Math.min(length, there);
        }

        @Override
        public void read(long at, ByteBuffer piece) throws IOException {
            while (piece.hasRemaining()) {
                int count = channel.read(piece, offset + at + piece.position());
                if (count < 0) {
                    return;
                }
            }
        }
    }
}
