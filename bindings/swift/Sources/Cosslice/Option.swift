import CCosslice

/// A setting of a `Config`. Ranges are checked when it is set; an empty text takes an option back to its default.
public struct Option: Sendable {
    let apply: @Sendable (Config) throws -> Void

    /// The account's number, such as "1250000000". Required.
    public static func appID(_ number: String) -> Option { text(COSSLICE_OPT_APP_ID, number, "appID") }
    /// The short bucket name, without the account's number. Required.
    public static func bucket(_ name: String) -> Option { text(COSSLICE_OPT_BUCKET, name, "bucket") }
    /// Such as "gz", "sh" or "tj". Required unless there is an endpoint.
    public static func region(_ name: String) -> Option { text(COSSLICE_OPT_REGION, name, "region") }
    /// The full base URL, by default `https://<region>.file.myqcloud.com/files/v2`.
    public static func endpoint(_ url: String) -> Option { text(COSSLICE_OPT_ENDPOINT, url, "endpoint") }
    /// The public half of the key pair.
    public static func secretID(_ id: String) -> Option { text(COSSLICE_OPT_SECRET_ID, id, "secretID") }
    /// The secret half of the key pair. Not for an app: use `signer`.
    public static func secretKey(_ key: String) -> Option { text(COSSLICE_OPT_SECRET_KEY, key, "secretKey") }
    /// One ready-made multi-effect signature, instead of a key pair.
    public static func authorization(_ signature: String) -> Option {
        text(COSSLICE_OPT_AUTHORIZATION, signature, "authorization")
    }
    /// The object's custom attribute.
    public static func bizAttr(_ attribute: String) -> Option { text(COSSLICE_OPT_BIZ_ATTR, attribute, "bizAttr") }
    /// `CossliceError.resumeToken` of an earlier upload of the same content by `feed` or `stream`, to continue it.
    public static func resumeToken(_ token: String) -> Option { text(COSSLICE_OPT_RESUME_TOKEN, token, "resumeToken") }
    /// Certificates in PEM (the text) that replace the built-in roots.
    public static func caPEM(_ certificates: String) -> Option { text(COSSLICE_OPT_CA_PEM, certificates, "caPEM") }
    /// `http://[user:password@]host:port` of a proxy that takes CONNECT.
    public static func proxy(_ url: String) -> Option { text(COSSLICE_OPT_PROXY, url, "proxy") }
    /// Instead of `libcosslice/<version>`.
    public static func userAgent(_ name: String) -> Option { text(COSSLICE_OPT_USER_AGENT, name, "userAgent") }

    /// Bytes of a slice, 64 KiB to 64 MiB. By default 1 MiB, the only size that every COS server takes.
    public static func sliceSize(_ bytes: UInt64) -> Option { number(COSSLICE_OPT_SLICE_SIZE, bytes) }
    /// Slices on their way at once, 1 to 64. By default 4.
    public static func inFlight(_ slices: UInt64) -> Option { number(COSSLICE_OPT_IN_FLIGHT, slices) }
    /// Further tries per request, 0 to 100. By default 5.
    public static func retries(_ tries: UInt64) -> Option { number(COSSLICE_OPT_RETRIES, tries) }
    /// To connect, name lookup and TLS included, 100 to 600000. By default 10000.
    public static func connectTimeout(milliseconds: UInt64) -> Option {
        number(COSSLICE_OPT_CONNECT_TIMEOUT_MS, milliseconds)
    }
    /// Silence after which a connection is given up, 100 to 3600000. By default 60000.
    public static func ioTimeout(milliseconds: UInt64) -> Option { number(COSSLICE_OPT_IO_TIMEOUT_MS, milliseconds) }
    /// How long signatures last, 60 to 7776000. By default 900.
    public static func signTTL(seconds: UInt64) -> Option { number(COSSLICE_OPT_SIGN_TTL_S, seconds) }
    /// What becomes of what has the name already. By default `.never`.
    public static func overwrite(_ mode: Overwrite) -> Option { number(COSSLICE_OPT_OVERWRITE, mode.rawValue) }
    /// Continue an unfinished upload of the same content. By default true.
    public static func resume(_ on: Bool) -> Option { number(COSSLICE_OPT_RESUME, on ? 1 : 0) }
    /// Declare the content's digest, which resume, instant uploads and the server's check need. By default true.
    public static func hash(_ on: Bool) -> Option { number(COSSLICE_OPT_HASH, on ? 1 : 0) }
    /// Compare with the server's record after finish where no digest was declared. By default true.
    public static func verify(_ on: Bool) -> Option { number(COSSLICE_OPT_VERIFY, on ? 1 : 0) }
    /// `file` and `buffer` send up to this many bytes in one request, at most 20 MiB. By default 1 MiB.
    public static func singleMax(_ bytes: UInt64) -> Option { number(COSSLICE_OPT_SINGLE_MAX, bytes) }
    /// Bytes per second over all slices of an upload; 0, the default, sets no limit.
    public static func bandwidth(_ bytesPerSecond: UInt64) -> Option { number(COSSLICE_OPT_BANDWIDTH, bytesPerSecond) }

    /// Lets a closure sign instead of a key pair. nil goes back to the key pair.
    public static func signer(_ signer: Signer?) -> Option {
        Option { config in
            guard let signer else { return try config.check(cosslice_config_set_signer(config.handle, nil, nil, nil)) }
            try config.register(Box(signer)) { handle, user in
                cosslice_config_set_signer(handle, signCallback, user, releaseCallback)
            }
        }
    }

    /// Lets a closure take the log lines up to `level`. They hold no secret. It runs on the upload's thread and must not
    /// wait for it. nil turns logging off.
    public static func log(upTo level: LogLevel, _ log: (@Sendable (LogLevel, String) -> Void)?) -> Option {
        Option { config in
            guard let log else {
                return try config.check(cosslice_config_set_logger(config.handle, level.rawValue, nil, nil, nil))
            }
            try config.register(Box(log)) { handle, user in
                cosslice_config_set_logger(handle, level.rawValue, logCallback, user, releaseCallback)
            }
        }
    }

    private static func text(_ option: cosslice_option, _ value: String, _ name: String) -> Option {
        Option { config in
            let value = try checked(value, name)
            try config.check(cosslice_config_set_str(config.handle, UInt32(option.rawValue), value))
        }
    }

    private static func number(_ option: cosslice_option, _ value: UInt64) -> Option {
        Option { config in
            try config.check(cosslice_config_set_u64(config.handle, UInt32(option.rawValue), value))
        }
    }
}

/// What becomes of what has an object's name already.
public enum Overwrite: UInt64, Sendable {
    /// Fail with `.exists` or `.conflict`.
    case never = 0
    /// Replace an object; it is there until the new one takes its place.
    case object = 1
    /// Also discard an unfinished upload of other content.
    case unfinished = 2
}

/// How much a log line matters.
public enum LogLevel: Int32, Sendable {
    /// The upload fails.
    case error = 1
    /// Something went wrong and is being dealt with.
    case warn = 2
    /// The steps of an upload.
    case info = 3
    /// Every request.
    case debug = 4
}
