package com.cosslice

import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.channels.awaitClose
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.callbackFlow
import kotlinx.coroutines.flow.conflate
import kotlinx.coroutines.runInterruptible

/** How far an upload is: bytes read while hashing, bytes acknowledged by COS afterwards. */
public data class Progress(val phase: Phase, val bytesDone: Long, val bytesTotal: Long)

/**
 * Runs methods of an upload that block on [dispatcher], and ends them when the coroutine is cancelled:
 *
 *     Upload(config, "/videos/a.mp4").use { upload ->
 *         upload.await { file(path) }
 *         upload.accessUrl
 *     }
 */
public suspend fun <T> Upload.await(dispatcher: CoroutineDispatcher = Dispatchers.IO, calls: Upload.() -> T): T =
    try {
        runInterruptible(dispatcher) { calls() }
    } catch (e: CanceledException) {
        currentCoroutineContext().ensureActive() // not an error when it is the coroutine that was cancelled
        throw e
    }

/**
 * The upload's progress. Takes the place of its listener while it is collected; ends by itself when the object is there, and
 * otherwise with its collector. A slow collector sees the newest only.
 */
public fun Upload.progress(): Flow<Progress> =
    callbackFlow {
        progressListener = ProgressListener { phase, done, total ->
            trySend(Progress(phase, done, total))
            if (phase == Phase.DONE) close()
        }
        awaitClose { progressListener = null }
    }.conflate()
