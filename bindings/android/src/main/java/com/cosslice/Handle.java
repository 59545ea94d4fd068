package com.cosslice;

import java.lang.ref.PhantomReference;
import java.lang.ref.ReferenceQueue;
import java.util.Collections;
import java.util.HashSet;
import java.util.Set;

/**
 * A native handle, which is freed once: by its owner's {@code close}, or, when that was forgotten and the owner is garbage,
 * when a later handle is made. There is no thread for it and no finalizer.
 */
abstract class Handle extends PhantomReference<Object> {
    private static final ReferenceQueue<Object> GARBAGE = new ReferenceQueue<>();
    private static final Set<Handle> LIVE = Collections.synchronizedSet(new HashSet<Handle>());

    private long address;

    Handle(Object owner, long address) {
        super(owner, GARBAGE);
        this.address = address;
        LIVE.add(this);
    }

    /** Frees a native handle; 0 is allowed. It must not refer to the owner, which would never be garbage then. */
    abstract void release(long address);

    /** The native handle, 0 when it was taken. */
    final synchronized long address() {
        return address;
    }

    /** The native handle to be released, once; 0 afterwards. */
    final long take() {
        long taken;
        synchronized (this) {
            taken = address;
            address = 0;
        }
        if (taken != 0) {
            LIVE.remove(this);
            clear();
        }
        return taken;
    }

    /** Frees the handles of owners that were forgotten. */
    static void freeGarbage() {
        for (Object found = GARBAGE.poll(); found != null; found = GARBAGE.poll()) {
            Handle handle = (Handle) found;
            handle.release(handle.take());
        }
    }

    /** How many handles are not freed. */
    static int live() {
        return LIVE.size();
    }
}
