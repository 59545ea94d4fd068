// Uploads a file with a progress line. Ctrl-C stops it; the same command again continues.
//
//     cosslice-put FILE BUCKET/PATH
//
// The environment gives the rest: COSSLICE_APP_ID, COSSLICE_SECRET_ID, COSSLICE_SECRET_KEY, and COSSLICE_REGION or
// COSSLICE_ENDPOINT.
import Cosslice
import Dispatch
import Foundation

func complain(_ line: String) { FileHandle.standardError.write(Data(line.utf8)) }

func put(_ file: String, _ bucket: String, _ path: String) async throws -> String {
    let environment = ProcessInfo.processInfo.environment
    let config = try Config([
        .appID(environment["COSSLICE_APP_ID"] ?? ""), .bucket(bucket), .region(environment["COSSLICE_REGION"] ?? ""),
        .endpoint(environment["COSSLICE_ENDPOINT"] ?? ""), .secretID(environment["COSSLICE_SECRET_ID"] ?? ""),
        .secretKey(environment["COSSLICE_SECRET_KEY"] ?? ""),
    ])
    let upload = try Upload(config, path: path)
    let bar = Task {
        for await now in upload.progress {
            let percent = now.bytesTotal > 0 ? Int(Double(now.bytesDone) / Double(now.bytesTotal) * 100) : 100
            complain("\r\(now.phase) \(percent) % of \(now.bytesTotal) bytes   ")
        }
        complain("\n")
    }
    defer { bar.cancel() }
    try await upload.file(file)
    await bar.value
    return upload[.accessURL]
}

let arguments = CommandLine.arguments
guard arguments.count == 3, let slash = arguments[2].firstIndex(of: "/"), slash != arguments[2].startIndex else {
    complain("usage: cosslice-put FILE BUCKET/PATH\n")
    exit(2)
}
let work = Task { try await put(arguments[1], String(arguments[2][..<slash]), String(arguments[2][slash...])) }

signal(SIGINT, SIG_IGN) // the source below hears it instead
let interrupt = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
interrupt.setEventHandler { work.cancel() }
interrupt.resume()

do {
    print(try await work.value)
} catch is CancellationError {
    complain("\ncosslice-put: interrupted; the same command again continues\n")
    exit(130)
} catch let error as CossliceError {
    complain("\ncosslice-put: \(error)\n" + (error.requestID.isEmpty ? "" : "  request id: \(error.requestID)\n"))
    exit(error.status == .exists || error.status == .conflict ? 3 : 1)
}
