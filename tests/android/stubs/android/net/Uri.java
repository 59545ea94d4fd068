package android.net;

/** As Android's. */
public abstract class Uri {}
