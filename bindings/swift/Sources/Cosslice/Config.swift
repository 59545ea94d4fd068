import CCosslice
import Foundation

/// A template for uploads, which copy it when they are made and share its connections. Any thread; nothing blocks.
public final class Config: @unchecked Sendable {
    let handle: OpaquePointer
    private let lock = NSRecursiveLock() // the library wants one thread at a time

    public init(_ options: [Option] = []) throws {
        var made: OpaquePointer?
        let status = Status(rawValue: cosslice_config_new(&made))
        guard let made else { throw CossliceError(status, "") }
        handle = made
        try set(options)
    }

    deinit { cosslice_config_free(handle) }

    /// Changes options for uploads made from now on. Stops at the first one that is refused.
    public func set(_ options: [Option]) throws {
        try locked { try options.forEach { try $0.apply(self) } }
    }

    /// A signature for the object `path` by the config's key pair, for the server that signs for others. A path that ends
    /// with "/" covers everything below it, "" the whole bucket. Without a date it is a one-time signature.
    public func sign(_ path: String, expiresAt: Date? = nil) throws -> String {
        let path = try checked(path, "the object path")
        let expiry = expiresAt.map { $0.timeIntervalSince1970.rounded(.down) } ?? 0
        guard let expiresAtS = UInt64(exactly: expiry), expiresAt == nil || expiresAtS > 0 else {
            throw CossliceError(.invalidArgument, "the expiry lies before 1970")
        }
        return try locked {
            var room = [CChar](repeating: 0, count: 1024)
            while true {
                var length = 0
                let status = cosslice_config_sign(handle, path, expiresAtS, &room, room.count, &length)
                if status == Status.ok.rawValue { return String(cString: room) }
                if length < room.count { try check(status) }
                room = [CChar](repeating: 0, count: length + 1)
            }
        }
    }

    func makeUpload(_ path: String) throws -> OpaquePointer {
        let path = try checked(path, "the object path")
        return try locked {
            var made: OpaquePointer?
            try check(cosslice_upload_new(handle, path, &made))
            return made!
        }
    }

    func check(_ status: cosslice_status) throws {
        guard status != Status.ok.rawValue else { return }
        throw CossliceError(Status(rawValue: status), String(cString: cosslice_config_message(handle)))
    }

    /// The library releases the box that it took; one that it refused is still ours.
    func register<T>(_ box: Box<T>, _ set: (OpaquePointer, UnsafeMutableRawPointer) -> cosslice_status) throws {
        let user = Unmanaged.passRetained(box as AnyBox)
        let status = set(handle, user.toOpaque())
        if status != Status.ok.rawValue { user.release() }
        try check(status)
    }

    private func locked<T>(_ body: () throws -> T) rethrows -> T {
        lock.lock()
        defer { lock.unlock() }
        return try body()
    }
}
