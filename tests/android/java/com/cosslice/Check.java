package com.cosslice;

import java.util.Arrays;
import java.util.Objects;

/** Counts what holds. */
final class Check {
    private static int passed;
    private static int failed;

    private Check() {}

    interface Body {
        void run() throws Throwable;
    }

    /** One test. It passes when nothing is thrown. */
    static void test(String name, Body body) {
        try {
            Emulator.calm();
            body.run();
            passed++;
            System.out.println("ok     " + name);
        } catch (Throwable e) {
            failed++;
            System.out.println("FAILED " + name);
            e.printStackTrace(System.out);
        }
    }

    static void that(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    static void same(Object expected, Object actual, String what) {
        if (!Objects.equals(expected, actual)) {
            throw new AssertionError(what + ": expected " + expected + ", got " + actual);
        }
    }

    static void bytes(byte[] expected, byte[] actual, String what) {
        that(Arrays.equals(expected, actual), what + ": other bytes (" + expected.length + " and " + actual.length + ")");
    }

    /** What the body throws, which must be exactly of this class. */
    static <T extends Throwable> T thrown(Class<T> kind, Body body) {
        try {
            body.run();
        } catch (Throwable e) {
            if (e.getClass() == kind) {
                return kind.cast(e);
            }
            throw new AssertionError("expected " + kind.getSimpleName() + ", got " + e, e);
        }
        throw new AssertionError("expected " + kind.getSimpleName() + ", nothing was thrown");
    }

    static int finish() {
        System.out.println(passed + " passed, " + failed + " failed");
        return failed == 0 && passed > 0 ? 0 : 1;
    }
}
