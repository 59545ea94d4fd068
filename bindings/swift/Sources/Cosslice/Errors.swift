import CCosslice
import Foundation

/// What a call came to. Newer libraries may have more of them than are named here.
public struct Status: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public let rawValue: Int32

    public init(rawValue: Int32) { self.rawValue = rawValue }
    init(_ code: cosslice_code) { rawValue = Int32(code.rawValue) }

    static let ok = Status(COSSLICE_OK)
    /// An argument or option is unfit. Nothing was changed.
    public static let invalidArgument = Status(COSSLICE_E_INVALID_ARG)
    /// The call does not fit what was done before.
    public static let state = Status(COSSLICE_E_STATE)
    /// Another call on the upload is running.
    public static let busy = Status(COSSLICE_E_BUSY)
    /// The library is older than this package.
    public static let unknownOption = Status(COSSLICE_E_UNKNOWN_OPTION)
    /// No memory for a slice: lower `inFlight` or `sliceSize`.
    public static let noMemory = Status(COSSLICE_E_NOMEM)
    /// The local file cannot be read; `osError` says why.
    public static let file = Status(COSSLICE_E_FILE)
    /// The content is not what was announced or hashed, or it changed meanwhile.
    public static let sourceChanged = Status(COSSLICE_E_SOURCE_CHANGED)
    /// The network failed after all retries: upload again to continue.
    public static let network = Status(COSSLICE_E_NETWORK)
    /// The server's certificate could not be verified.
    public static let tls = Status(COSSLICE_E_TLS)
    /// The server was silent for too long: upload again to continue.
    public static let timeout = Status(COSSLICE_E_TIMEOUT)
    /// Something else than COS answered, such as a proxy.
    public static let badReply = Status(COSSLICE_E_PROTOCOL)
    /// COS refused; `serverCode` says why.
    public static let server = Status(COSSLICE_E_SERVER)
    /// The signer failed, or COS refused the signature.
    public static let auth = Status(COSSLICE_E_AUTH)
    /// The name is taken; see `Option.overwrite`.
    public static let exists = Status(COSSLICE_E_EXISTS)
    /// Canceled by `Upload.cancel`: upload again to continue. A canceled task gets a `CancellationError` instead.
    public static let canceled = Status(COSSLICE_E_CANCELED)
    /// Made before a fork and used in the child.
    public static let forked = Status(COSSLICE_E_FORKED)
    /// An unfinished upload of other content has the name.
    public static let conflict = Status(COSSLICE_E_CONFLICT)
    /// Server and client disagree about the content.
    public static let integrity = Status(COSSLICE_E_INTEGRITY)
    /// The bucket or the parent directory does not exist.
    public static let notFound = Status(COSSLICE_E_NOT_FOUND)
    /// A bug in the library.
    public static let panic = Status(COSSLICE_E_PANIC)

    /// A few words.
    public var description: String { String(cString: cosslice_status_str(rawValue)) }
}

/// A failed call with all that is known of it.
public struct CossliceError: Error, Sendable, LocalizedError, CustomStringConvertible {
    public let status: Status
    /// One sentence that says what to do; never a secret.
    public let message: String
    /// Of the reply that it is about.
    public internal(set) var httpStatus: Int?
    /// COS's number.
    public internal(set) var serverCode: Int?
    /// COS's own words.
    public internal(set) var serverMessage = ""
    /// To quote to Tencent's support.
    public internal(set) var requestID = ""
    /// errno.
    public internal(set) var osError: Int32?
    /// The same upload may well succeed later.
    public internal(set) var isRetryable = false
    /// For `Option.resumeToken`, to continue an upload by `feed` or `stream`; empty when there is nothing to continue.
    public internal(set) var resumeToken = ""
    /// What the signer threw.
    public internal(set) var underlying: (any Error)?

    init(_ status: Status, _ message: String) {
        self.status = status
        self.message = message.isEmpty ? status.description : message
    }

    public var errorDescription: String? { message }
    public var description: String { message }
}

/// A text that C can have.
func checked(_ text: String, _ what: String) throws -> String {
    guard !text.utf8.contains(0) else { throw CossliceError(.invalidArgument, "\(what) contains a NUL character") }
    return text
}
