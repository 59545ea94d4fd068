package com.cosslice

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout

fun main() {
    val server = Emulator.builder().build()
    val config = Emulator.unsigned().signer { server.sign(it.path, it.expiresAtSeconds) }.build()

    Check.test("kotlin: await and progress") {
        runBlocking {
            val content = Bytes.random(5 * Bytes.MIB, 81)
            val name = Emulator.name()
            Upload(config, name).use { upload ->
                val seen = mutableListOf<Progress>()
                val collector = launch(Dispatchers.Default) { upload.progress().collect { seen += it } }
                while (upload.progressListener == null) kotlinx.coroutines.yield()
                val url = upload.await {
                    buffer(content)
                    accessUrl
                }
                Check.that(url.endsWith(name), "url $url")
                withTimeout(10_000) { collector.join() }
                Check.same(Progress(Phase.DONE, content.size.toLong(), content.size.toLong()), seen.last(), "the last")
                Check.same(null, upload.progressListener, "listener afterwards")
            }
            Check.bytes(content, Emulator.fetch(name), "the object")
        }
    }
    Check.test("kotlin: cancelling the coroutine ends the call") {
        runBlocking {
            val content = Bytes.random(4 * Bytes.MIB, 82)
            Emulator.faults("""{"op": "upload_slice_data", "do": "stall"}""")
            Upload(config, Emulator.name()).use { upload ->
                val sending = Channel<Unit>(Channel.CONFLATED)
                upload.progressListener = ProgressListener { phase, _, _ -> if (phase == Phase.SENDING) sending.trySend(Unit) }
                var wrong: Throwable? = null
                val job = launch {
                    try {
                        upload.await { buffer(content) }
                    } catch (e: Throwable) {
                        wrong = e
                        throw e
                    }
                }
                sending.receive()
                withTimeout(2_500) { job.cancelAndJoin() }
                Check.that(wrong is kotlinx.coroutines.CancellationException, "thrown $wrong")
            }
        }
    }
    Check.test("kotlin: failures and the upload's own cancel come out of await") {
        runBlocking {
            Upload(config, Emulator.name()).use { upload ->
                Check.thrown(FileException::class.java) { runBlocking { upload.await { file("/does/not/exist") } } }
            }
            Upload(config, Emulator.name()).use { upload ->
                upload.cancel()
                Check.thrown(CanceledException::class.java) { runBlocking { upload.await { buffer(ByteArray(5)) } } }
            }
        }
    }
    System.exit(Check.finish())
}
