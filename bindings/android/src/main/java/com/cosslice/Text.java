package com.cosslice;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Texts as the C interface takes and gives them. */
final class Text {
    private Text() {}

    static String decode(byte[] utf8) {
        return new String(utf8, StandardCharsets.UTF_8);
    }

    /** UTF-8 of a text. What C could not hold is refused, not bent. */
    static byte[] encode(String text, String what) throws InvalidArgumentException {
        if (text == null) {
            throw new InvalidArgumentException(what + " is null");
        }
        if (text.indexOf('\0') >= 0) {
            throw new InvalidArgumentException(what + " has a NUL character");
        }
        try {
            ByteBuffer encoded = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(text));
            byte[] bytes = new byte[encoded.remaining()];
            encoded.get(bytes);
            Arrays.fill(encoded.array(), (byte) 0); // it may have been a secret
            return bytes;
        } catch (CharacterCodingException e) {
            throw new InvalidArgumentException(what + " has half a surrogate pair, which is no character");
        }
    }
}
