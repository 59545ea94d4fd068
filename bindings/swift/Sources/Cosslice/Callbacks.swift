import CCosslice
import Foundation

/// What a signature is wanted for.
public struct SignRequest: Sendable {
    /// The operation, such as "upload_slice_data".
    public let op: String
    public let appID: String
    public let bucket: String
    /// The object's path as it was given to the upload.
    public let path: String
    /// The signature's `f` field, "/appid/bucket/encoded-path".
    public let fileID: String
    /// When the signature should end; nil wants a one-time signature.
    public let expiresAt: Date?
    /// Now, by the server's clock as far as it is known.
    public let now: Date

    init(_ request: OpaquePointer?) {
        func text(_ field: cosslice_sign_field) -> String {
            String(cString: cosslice_sign_get_str(request, UInt32(field.rawValue)))
        }
        func time(_ field: cosslice_sign_field) -> TimeInterval {
            TimeInterval(cosslice_sign_get_u64(request, UInt32(field.rawValue)))
        }
        op = text(COSSLICE_SIGN_OP)
        appID = text(COSSLICE_SIGN_APP_ID)
        bucket = text(COSSLICE_SIGN_BUCKET)
        path = text(COSSLICE_SIGN_PATH)
        fileID = text(COSSLICE_SIGN_FILE_ID)
        let expiry = time(COSSLICE_SIGN_EXPIRES_AT_S)
        expiresAt = expiry == 0 ? nil : Date(timeIntervalSince1970: expiry)
        now = Date(timeIntervalSince1970: time(COSSLICE_SIGN_NOW_S))
    }
}

/// Gives the value of the Authorization header, usually by asking your server. The upload waits for it; its task is
/// canceled with the upload. What it throws is `CossliceError.underlying`.
public typealias Signer = @Sendable (SignRequest) async throws -> String

/// What the library keeps as `user`.
class AnyBox {}
final class Box<T>: AnyBox {
    let value: T
    init(_ value: T) { self.value = value }

    static func of(_ user: UnsafeMutableRawPointer?) -> T {
        let box = Unmanaged<AnyBox>.fromOpaque(user!).takeUnretainedValue()
        return unsafeDowncast(box, to: Box<T>.self).value
    }
}

/// One call into the library. Callbacks run on its thread, and find it there.
final class Call: @unchecked Sendable {
    @TaskLocal static var current: Call?

    private let lock = NSLock()
    private var isCanceled = false
    private var stopWaiting: (() -> Void)?
    private var thrown: (any Error)?

    /// What the signer threw.
    var signerError: (any Error)? { locked { thrown } }

    func cancel() {
        let stop: (() -> Void)? = locked {
            isCanceled = true
            return stopWaiting
        }
        stop?()
    }

    /// Waits for the signer, or for cancel. This thread belongs to the upload, so it may wait.
    func signature(by signer: @escaping Signer, for request: SignRequest) -> String? {
        let answered = DispatchSemaphore(value: 0)
        let answer = Answer()
        let task = Task.detached {
            do { answer.set(.success(try await signer(request))) } catch { answer.set(.failure(error)) }
            answered.signal()
        }
        let mayWait: Bool = locked {
            stopWaiting = {
                task.cancel()
                answered.signal()
            }
            return !isCanceled
        }
        if mayWait { answered.wait() } else { task.cancel() }
        return locked {
            stopWaiting = nil
            switch answer.get() {
            case .success(let signature): return signature
            case .failure(let error):
                thrown = error
                return nil
            case nil: return nil
            }
        }
    }

    private func locked<T>(_ body: () -> T) -> T {
        lock.lock()
        defer { lock.unlock() }
        return body()
    }
}

private final class Answer: @unchecked Sendable {
    private let lock = NSLock()
    private var result: Result<String, any Error>?

    func set(_ value: Result<String, any Error>) {
        lock.lock()
        result = value
        lock.unlock()
    }

    func get() -> Result<String, any Error>? {
        lock.lock()
        defer { lock.unlock() }
        return result
    }
}

let signCallback: cosslice_sign_fn = { user, request, out, room in
    guard let call = Call.current, let out,
        let signature = call.signature(by: Box<Signer>.of(user), for: SignRequest(request))
    else { return 0 }
    let bytes = Array(signature.utf8) + [0]
    if bytes.count <= room {
        UnsafeMutableRawBufferPointer(start: out, count: room).copyBytes(from: bytes)
    }
    return bytes.count - 1 // which asks for more room when it is too long
}

let logCallback: cosslice_log_fn = { user, level, message in
    guard let message, let level = LogLevel(rawValue: level) else { return }
    Box<@Sendable (LogLevel, String) -> Void>.of(user)(level, String(cString: message))
}

let progressCallback: cosslice_progress_fn = { user, phase, done, total in
    let now = Progress(phase: Phase(rawValue: phase) ?? .idle, bytesDone: done, bytesTotal: total)
    Box<AsyncStream<Progress>.Continuation>.of(user).yield(now)
    return 0
}

let releaseCallback: cosslice_release_fn = { user in
    Unmanaged<AnyBox>.fromOpaque(user!).release()
}
