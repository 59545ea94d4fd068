import CCosslice
import Foundation

/// What is being done with the content.
public enum Phase: UInt32, Sendable {
    /// Nothing yet.
    case idle = 0
    /// Reading it for its digest; progress counts bytes read.
    case hashing = 1
    /// Sending slices; progress counts bytes acknowledged.
    case sending = 2
    /// The server puts the object together.
    case finishing = 3
    /// The object is there.
    case done = 4
}

/// How far an upload is.
public struct Progress: Sendable, Equatable {
    public let phase: Phase
    public let bytesDone: UInt64
    public let bytesTotal: UInt64
}

/// One upload of one object: `file`, `buffer` or `stream` for the whole of it; or, in pieces, `hash` (optional), `start`,
/// `seek` (optional), `feed`, `finish`.
///
///     let upload = try Upload(config, path: "/videos/a.mp4")
///     Task { for await now in upload.progress { print(now.bytesDone, now.bytesTotal) } }
///     try await upload.file("a.mp4")
///     print(upload[.accessURL])
///
/// A failure is final, but for calls that are refused for their arguments or their order: make another upload to go on,
/// which continues where the server stands. Calls run on a thread of the upload's own, never on Swift's cooperative ones,
/// one at a time: a second one throws `.busy`. When their task is canceled they throw `CancellationError` within 250 ms.
/// An upload that is let go ends by itself.
public final class Upload: @unchecked Sendable {
    /// How far it is, for one reader: the newest state when the reader comes to it. Ends with the upload.
    public let progress: AsyncStream<Progress>

    private let handle: OpaquePointer
    private let queue = DispatchQueue(label: "cosslice.upload")
    private let continuation: AsyncStream<Progress>.Continuation
    private let lock = NSLock()
    private var call: Call?

    /// An upload of the object `path`, such as "/dir/a b.txt", not encoded. Nothing is sent yet.
    public init(_ config: Config, path: String) throws {
        handle = try config.makeUpload(path)
        (progress, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        let user = Unmanaged.passRetained(Box(continuation) as AnyBox)
        let status = cosslice_upload_set_progress(handle, progressCallback, user.toOpaque(), releaseCallback)
        if status != Status.ok.rawValue {
            user.release()
            throw failure(status)
        }
    }

    deinit {
        continuation.finish()
        let free = Handle(handle)
        queue.async { cosslice_upload_free(free.pointer) } // which may wait for slices on their way
    }

    // MARK: Sending

    /// Uploads a local file: hashes it, sends what the server lacks, finishes.
    public func file(_ path: String) async throws {
        let path = try checked(path, "the file path")
        try await run { cosslice_upload_file($0, path) }
        continuation.finish()
    }

    /// Uploads `Data`, `[UInt8]` and the like from where they lie, without a copy.
    public func buffer(_ data: some ContiguousBytes & Sendable) async throws {
        try await run { handle in data.withUnsafeBytes { cosslice_upload_buffer(handle, $0.baseAddress, $0.count) } }
        continuation.finish()
    }

    /// Uploads pieces from an asynchronous sequence: exactly `size` bytes.
    public func stream<S: AsyncSequence>(_ source: S, size: UInt64) async throws where S.Element: ContiguousBytes & Sendable {
        try await start(size: size)
        for try await piece in source { try await feed(piece) }
        try await finish()
    }

    /// Uploads single bytes from an asynchronous sequence, such as `FileHandle.AsyncBytes`: exactly `size` of them.
    public func stream<S: AsyncSequence>(_ source: S, size: UInt64) async throws where S.Element == UInt8 {
        try await start(size: size)
        var piece: [UInt8] = []
        piece.reserveCapacity(65536)
        for try await byte in source {
            piece.append(byte)
            if piece.count == 65536 {
                try await feed(piece)
                piece.removeAll(keepingCapacity: true)
            }
        }
        try await feed(piece)
        try await finish()
    }

    /// Takes the next bytes of an optional first pass over the content, before `start`. Sends nothing.
    public func hash(_ data: some ContiguousBytes & Sendable) async throws {
        try await run { handle in data.withUnsafeBytes { cosslice_upload_hash(handle, $0.baseAddress, $0.count) } }
    }

    /// Opens an upload of `size` bytes, or continues one. Afterwards `[.nextOffset]` is what the server lacks first.
    public func start(size: UInt64) async throws {
        try await run { cosslice_upload_init($0, size) }
    }

    /// Says that the next `feed` begins at `offset`, which is at most `[.nextOffset]`.
    public func seek(to offset: UInt64) async throws {
        try await run { cosslice_upload_seek($0, offset) }
    }

    /// Takes the next bytes, as many as there are. Waits while too many slices are on their way.
    public func feed(_ data: some ContiguousBytes & Sendable) async throws {
        try await run { handle in data.withUnsafeBytes { cosslice_upload_feed(handle, $0.baseAddress, $0.count) } }
    }

    /// Waits for the slices on their way and puts the object together.
    public func finish() async throws {
        try await run { cosslice_upload_finish($0) }
        continuation.finish()
    }

    /// Ends the call that is running, or the next one, within 250 ms. What the server has stays there.
    public func cancel() {
        cosslice_upload_cancel(handle)
        locked { call }?.cancel()
    }

    // MARK: Asking

    /// A text that can be asked of an upload.
    public struct TextInfo: Sendable {
        let number: cosslice_info
        /// Where the CDN serves the object.
        public static let accessURL = TextInfo(number: COSSLICE_INFO_ACCESS_URL)
        /// Where its origin serves it.
        public static let sourceURL = TextInfo(number: COSSLICE_INFO_SOURCE_URL)
        /// "/appid/bucket/path".
        public static let resourcePath = TextInfo(number: COSSLICE_INFO_RESOURCE_PATH)
        /// For further operations on the object.
        public static let url = TextInfo(number: COSSLICE_INFO_URL)
        public static let previewURL = TextInfo(number: COSSLICE_INFO_PREVIEW_URL)
        public static let vid = TextInfo(number: COSSLICE_INFO_VID)
        /// Of the content, in hex, once it is known.
        public static let sha1 = TextInfo(number: COSSLICE_INFO_SHA1)
        /// Why the last call failed.
        public static let message = TextInfo(number: COSSLICE_INFO_MESSAGE)
        public static let serverMessage = TextInfo(number: COSSLICE_INFO_SERVER_MESSAGE)
        public static let requestID = TextInfo(number: COSSLICE_INFO_REQUEST_ID)
        /// Continues this upload by `feed` or `stream` later.
        public static let resumeToken = TextInfo(number: COSSLICE_INFO_RESUME_TOKEN)
    }

    /// A number that can be asked of an upload.
    public struct NumberInfo: Sendable {
        let number: cosslice_info
        public static let bytesTotal = NumberInfo(number: COSSLICE_INFO_BYTES_TOTAL)
        /// Acknowledged by COS.
        public static let bytesDone = NumberInfo(number: COSSLICE_INFO_BYTES_DONE)
        /// Of these, found on the server.
        public static let bytesResumed = NumberInfo(number: COSSLICE_INFO_BYTES_RESUMED)
        /// After `start`: the first byte that the server lacks.
        public static let nextOffset = NumberInfo(number: COSSLICE_INFO_NEXT_OFFSET)
        public static let sliceSize = NumberInfo(number: COSSLICE_INFO_SLICE_SIZE)
        /// 1 when the server had the content already.
        public static let instant = NumberInfo(number: COSSLICE_INFO_INSTANT)
        /// 1 when the server is known to hold exactly these bytes.
        public static let verified = NumberInfo(number: COSSLICE_INFO_VERIFIED)
        public static let httpStatus = NumberInfo(number: COSSLICE_INFO_HTTP_STATUS)
        public static let serverCode = NumberInfo(number: COSSLICE_INFO_SERVER_CODE)
        public static let osError = NumberInfo(number: COSSLICE_INFO_OS_ERROR)
        public static let retryable = NumberInfo(number: COSSLICE_INFO_RETRYABLE)
        /// Requests that had to be sent again.
        public static let retries = NumberInfo(number: COSSLICE_INFO_RETRIES)
        /// The raw value of a `Phase`.
        public static let phase = NumberInfo(number: COSSLICE_INFO_PHASE)
    }

    /// A text; empty when it is not known or a call is running.
    public subscript(info: TextInfo) -> String {
        locked { call == nil ? text(info) : "" } // the next call would take it away while it is copied
    }

    /// A number, at any time; nil when it is not known.
    public subscript(info: NumberInfo) -> Int64? { number(info) }

    private func text(_ info: TextInfo) -> String {
        String(cString: cosslice_upload_get_str(handle, UInt32(info.number.rawValue)))
    }

    private func number(_ info: NumberInfo) -> Int64? {
        let value = cosslice_upload_get_i64(handle, UInt32(info.number.rawValue))
        return value == -1 ? nil : value
    }

    // MARK: Calling

    private func run(_ body: @escaping @Sendable (OpaquePointer) -> cosslice_status) async throws {
        let call = Call()
        let isMine: Bool = locked {
            guard self.call == nil else { return false }
            self.call = call
            return true
        }
        guard isMine else { throw CossliceError(.busy, "another call on the upload is running") }
        let status = await withTaskCancellationHandler {
            await withCheckedContinuation { (done: CheckedContinuation<cosslice_status, Never>) in
                queue.async { done.resume(returning: Call.$current.withValue(call) { body(self.handle) }) }
            }
        } onCancel: {
            self.cancel()
        }
        let failed: CossliceError? = locked {
            self.call = nil
            return status == Status.ok.rawValue ? nil : failure(status, call.signerError)
        }
        guard let failed else { return }
        if !Status.isRefusal(failed.status) { continuation.finish() }
        if failed.status == .canceled && Task.isCancelled { throw CancellationError() }
        throw failed
    }

    private func failure(_ status: cosslice_status, _ underlying: (any Error)? = nil) -> CossliceError {
        var error = CossliceError(Status(rawValue: status), text(.message))
        error.httpStatus = number(.httpStatus).map(Int.init)
        error.serverCode = number(.serverCode).map(Int.init)
        error.serverMessage = text(.serverMessage)
        error.requestID = text(.requestID)
        error.osError = number(.osError).map(Int32.init(truncatingIfNeeded:))
        error.isRetryable = number(.retryable) == 1
        error.resumeToken = text(.resumeToken)
        error.underlying = underlying
        return error
    }

    private func locked<T>(_ body: () -> T) -> T {
        lock.lock()
        defer { lock.unlock() }
        return body()
    }
}

extension Status {
    /// Nothing was changed, and the upload can go on.
    static func isRefusal(_ status: Status) -> Bool {
        status == .invalidArgument || status == .state || status == .busy
    }
}

/// The version of the library that is loaded, such as "0.1.0".
public var libraryVersion: String { String(cString: cosslice_version()) }

private struct Handle: @unchecked Sendable {
    let pointer: OpaquePointer
    init(_ pointer: OpaquePointer) { self.pointer = pointer }
}
