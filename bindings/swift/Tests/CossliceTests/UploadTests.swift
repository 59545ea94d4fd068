import CCosslice
import Cosslice
import Foundation
import XCTest

final class UploadTests: XCTestCase {
    func testBuffer() async throws {
        let data = content(3 * mib + 17)
        let upload = try opened("/buffer/a b+中.bin")
        let heard = Task {
            var seen: [Cosslice.Progress] = []
            for await now in upload.progress { seen.append(now) }
            return seen
        }
        try await upload.buffer(data)
        let received = try await fetched("/buffer/a b+中.bin")
        XCTAssertEqual(received, data)
        let seen = await heard.value // which ends with the upload
        XCTAssertFalse(seen.isEmpty)
        XCTAssert(seen.allSatisfy { $0.bytesTotal == data.count && $0.bytesDone <= $0.bytesTotal }, "\(seen)")
        XCTAssert(upload[.accessURL].hasPrefix("http"))
        XCTAssertEqual(upload[.resourcePath], "/1250000000/bkt/buffer/a%20b%2B%E4%B8%AD.bin")
        XCTAssertEqual(upload[.sha1].count, 40)
        XCTAssertEqual(upload[.bytesDone], Int64(data.count))
        XCTAssertEqual(upload[.verified], 1)
        XCTAssertEqual(upload[.phase], Int64(Phase.done.rawValue))
    }

    func testSizesAndSources() async throws {
        for size in [0, 1, mib, mib + 1] {
            let data = content(size)
            let name = NSTemporaryDirectory() + "cosslice-swift-\(getpid())"
            try data.write(to: URL(fileURLWithPath: name))
            defer { try? FileManager.default.removeItem(atPath: name) }
            try await opened("/sizes/file-\(size)").file(name)
            try await opened("/sizes/array-\(size)").buffer([UInt8](data))
            let pieces = AsyncStream<Data> { stream in
                for start in stride(from: 0, to: size, by: 300_001) { stream.yield(data[start..<min(start + 300_001, size)]) }
                stream.finish()
            }
            try await opened("/sizes/pieces-\(size)").stream(pieces, size: UInt64(size))
            let bytes = AsyncStream<UInt8> { stream in
                data.forEach { stream.yield($0) }
                stream.finish()
            }
            try await opened("/sizes/bytes-\(size)").stream(bytes, size: UInt64(size))
            for source in ["file", "array", "pieces", "bytes"] {
                let received = try await fetched("/sizes/\(source)-\(size)")
                XCTAssertEqual(received, data, "\(source) \(size)")
            }
        }
    }

    func testFailures() async throws {
        let missing = await failure { try await opened("/missing").file("/nowhere/at/all") }
        XCTAssertEqual(missing?.status, .file)
        XCTAssertEqual(missing?.osError, ENOENT)
        try await opened("/taken").buffer(content(100))
        let taken = await failure { try await opened("/taken").buffer(content(101)) }
        XCTAssertEqual(taken?.status, .exists)
        XCTAssertLessThan(taken?.serverCode ?? 0, 0)
        XCTAssertEqual(taken?.isRetryable, false)
        XCTAssertFalse(taken?.requestID.isEmpty ?? true)
        XCTAssertFalse(taken?.serverMessage.isEmpty ?? true)
        XCTAssertGreaterThanOrEqual(taken?.httpStatus ?? 0, 200)
        XCTAssertEqual(taken.map { $0.localizedDescription }, taken?.message)
        try await opened("/taken", [.overwrite(.object)]).buffer(content(101))
        let received = try await fetched("/taken")
        XCTAssertEqual(received, content(101))
    }

    func testStreamContinuesByToken() async throws {
        let data = content(4 * mib)
        let stream = { AsyncStream<Data> { $0.yield(data); $0.finish() } }
        try await faults([["op": "upload_slice_data", "path": "/token", "offset": 2 * mib, "do": "status", "status": 500]])
        let broken = await failure {
            try await opened("/token", [.inFlight(1), .retries(0)]).stream(stream(), size: UInt64(data.count))
        }
        try await faults([])
        XCTAssertEqual(broken?.isRetryable, true)
        XCTAssertEqual(broken?.httpStatus, 500)
        let conflict = await failure { try await opened("/token").stream(stream(), size: UInt64(data.count)) }
        XCTAssertEqual(conflict?.status, .conflict)
        let second = try opened("/token", [.resumeToken(broken?.resumeToken ?? "")])
        try await second.stream(stream(), size: UInt64(data.count))
        XCTAssertEqual(second[.bytesResumed], Int64(2 * mib))
        let received = try await fetched("/token")
        XCTAssertEqual(received, data)
    }

    func testPiecesFromWhereTheServerStands() async throws {
        let data = content(3 * mib)
        try await faults([["op": "upload_slice_data", "path": "/pieces", "offset": mib, "do": "status", "status": 500]])
        _ = await failure { try await opened("/pieces", [.inFlight(1), .retries(0)]).buffer(data) }
        try await faults([])
        let upload = try opened("/pieces")
        try await upload.hash(data[..<10])
        try await upload.hash(data[10...])
        try await upload.start(size: UInt64(data.count))
        XCTAssertEqual(upload[.nextOffset], Int64(mib))
        try await upload.seek(to: UInt64(mib))
        try await upload.feed(data[mib...])
        try await upload.feed(Data())
        try await upload.finish()
        let received = try await fetched("/pieces")
        XCTAssertEqual(received, data)
    }

    func testTaskCancellation() async throws {
        try await faults([["op": "upload_slice_data", "path": "/cancel", "do": "stall"]])
        let data = content(3 * mib + 5)
        for kind in ["task", "cancel"] {
            let upload = try opened("/cancel", [.overwrite(.unfinished), .hash(false)])
            let work = Task { try await upload.buffer(data) }
            for await now in upload.progress where now.phase == .sending {
                if kind == "task" { work.cancel() } else { upload.cancel() }
            }
            let started = Date()
            do {
                try await work.value
                XCTFail("it went well")
            } catch is CancellationError {
                XCTAssertEqual(kind, "task")
            } catch let error as CossliceError {
                XCTAssertEqual(kind, "cancel")
                XCTAssertEqual(error.status, .canceled)
            }
            XCTAssertLessThan(Date().timeIntervalSince(started), 10) // promised are 250 ms; the silence would last a minute
        }
        try await faults([])
        let before = Task {
            while !Task.isCancelled { await Task.yield() }
            try await opened("/cancel-early").buffer(content(10))
        }
        before.cancel()
        do {
            try await before.value
            XCTFail("it went well")
        } catch { XCTAssert(error is CancellationError, "\(error)") }
    }

    func testSigner() async throws {
        let server = try emulated()
        let asked = Shared<[SignRequest]>([])
        let signer: Signer = { request in
            asked.change { $0.append(request) }
            try await Task.sleep(nanoseconds: 1_000_000) // as a request to a server would
            return try server.sign(request.path, expiresAt: request.expiresAt)
        }
        let keyless: [Option] = [.secretID(""), .secretKey(""), .signer(signer)]
        try await opened("/signed/中", keyless).buffer(content(2 * mib + 1))
        let received = try await fetched("/signed/中")
        XCTAssertEqual(received, content(2 * mib + 1))
        let first = asked.now.first
        XCTAssertEqual(first?.path, "/signed/中")
        XCTAssertEqual(first?.fileID, "/1250000000/bkt/signed/%E4%B8%AD")
        XCTAssertEqual([first?.appID, first?.bucket], ["1250000000", "bkt"])
        XCTAssert(first?.op.hasPrefix("upload") ?? false)
        XCTAssertGreaterThan(first!.expiresAt!, first!.now)
        XCTAssertLessThan(abs(first!.now.timeIntervalSinceNow), 60)

        struct Mine: Error {}
        let refused = await failure { try await opened("/unsigned", [.signer { _ in throw Mine() }]).buffer(content(10)) }
        XCTAssertEqual(refused?.status, .auth)
        XCTAssert(refused?.underlying is Mine)
        for bad in ["", String(repeating: "x", count: 5000)] {
            let garbage = await failure { try await opened("/unsigned", [.signer { _ in bad }]).buffer(content(10)) }
            XCTAssertEqual(garbage?.status, .auth)
            XCTAssertFalse(garbage?.message.contains("xxx") ?? true)
        }
        let stuck = try opened("/stuck", [.signer { _ in
            try await Task.sleep(nanoseconds: 60_000_000_000)
            return ""
        }])
        let work = Task { try await stuck.buffer(content(10)) }
        while stuck[.bytesTotal] == nil { await Task.yield() }
        let started = Date()
        work.cancel()
        do {
            try await work.value
            XCTFail("it went well")
        } catch { XCTAssert(error is CancellationError, "\(error)") }
        XCTAssertLessThan(Date().timeIntervalSince(started), 10)
    }

    func testOneCallAtATime() async throws {
        let upload = try opened("/busy")
        let inside = Shared<CossliceError?>(nil)
        let watcher = Task {
            for await _ in upload.progress where inside.now == nil && upload[.bytesTotal] != nil {
                do { try await upload.start(size: 5) } catch { inside.change { $0 = error as? CossliceError } }
            }
        }
        try await faults([["op": "upload_slice_data", "path": "/busy", "do": "delay", "ms": 200]])
        try await upload.buffer(content(2 * mib + 9))
        await watcher.value
        try await faults([])
        XCTAssertEqual(inside.now?.status, .busy)
        let late = await failure { try await upload.start(size: 5) }
        XCTAssertEqual(late?.status, .state)
    }

    func testManyAtOnce() async throws {
        let config = try emulated()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<12 {
                group.addTask {
                    let data = content(mib + 200 + index)
                    try await Upload(config, path: "/many/\(index)").buffer(data)
                    let received = try await fetched("/many/\(index)")
                    XCTAssertEqual(received, data)
                }
            }
            try await group.waitForAll()
        }
    }

    func testBadInput() async throws {
        let config = try emulated()
        for unfit: Option in [.inFlight(65), .bucket("a\0b"), .connectTimeout(milliseconds: 1), .bandwidth(.max)] {
            XCTAssertThrowsError(try config.set([unfit])) { XCTAssertEqual(($0 as? CossliceError)?.status, .invalidArgument) }
        }
        for path in ["", "relative", "/a\0b", "/a/", "/a//b"] {
            XCTAssertThrowsError(try Upload(config, path: path), path) {
                XCTAssertEqual(($0 as? CossliceError)?.status, .invalidArgument)
            }
        }
        let all: [Option] = [
            .region("gz"), .authorization(""), .bizAttr("x"), .caPEM(""), .proxy(""), .userAgent("swift/1"),
            .sliceSize(UInt64(mib)), .ioTimeout(milliseconds: 5000), .signTTL(seconds: 60), .resume(true), .verify(false),
            .singleMax(0), .bandwidth(0), .signer(nil), .log(upTo: .info, nil),
        ]
        try await opened("/all", all).buffer(content(10))
        let signed = try config.sign("/" + String(repeating: "中", count: 300), expiresAt: Date() + 60)
        XCTAssertGreaterThan(signed.count, 2700) // longer than the first guess
        XCTAssertThrowsError(try config.sign("relative"))
        XCTAssertThrowsError(try config.sign("/a", expiresAt: Date(timeIntervalSince1970: -5)))
    }

    func testLogAndRelease() async throws {
        final class Witness: @unchecked Sendable {}
        let lines = Shared<[String]>([])
        weak var gone: Witness?
        do {
            let witness = Witness()
            gone = witness
            let config = try emulated([.log(upTo: .debug) { [witness] _, line in
                withExtendedLifetime(witness) { lines.change { $0.append(line) } }
            }])
            try await Upload(config, path: "/log").buffer(content(2 * mib + 2))
        }
        XCTAssertFalse(lines.now.isEmpty)
        XCTAssertFalse(lines.now.joined().contains("examplesecretkey"))
        let deadline = Date() + 30
        while gone != nil, Date() < deadline { await Task.yield() } // the upload is freed on its own thread
        XCTAssertNil(gone)
    }

    /// The numbers that the wrapper has of its own are those of the header.
    func testConstants() {
        XCTAssertEqual([Overwrite.never, .object, .unfinished].map(\.rawValue), [0, 1, 2])
        XCTAssertEqual(
            [LogLevel.error, .warn, .info, .debug].map { UInt32($0.rawValue) },
            [COSSLICE_LOG_ERROR, COSSLICE_LOG_WARN, COSSLICE_LOG_INFO, COSSLICE_LOG_DEBUG].map { UInt32($0.rawValue) })
        XCTAssertEqual(
            [Phase.idle, .hashing, .sending, .finishing, .done].map(\.rawValue),
            [COSSLICE_PHASE_IDLE, COSSLICE_PHASE_HASHING, COSSLICE_PHASE_SENDING, COSSLICE_PHASE_FINISHING, COSSLICE_PHASE_DONE]
                .map { UInt32($0.rawValue) })
        XCTAssertEqual(cosslice_abi_version(), UInt32(COSSLICE_ABI_VERSION))
        XCTAssertFalse(libraryVersion.isEmpty)
    }
}
