package com.cosslice;

/** Runs all tests; the last line counts them. */
public final class Main {
    private Main() {}

    public static void main(String[] args) {
        SourceTests.run();
        CallbackTests.run();
        EndingTests.run();
        ErrorTests.run();
        LeakTests.run();
        DriftTests.run();
        System.exit(Check.finish());
    }
}
