import Cosslice
import Foundation
import XCTest

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

let mib = 1 << 20
let account: [Option] = [.appID("1250000000"), .bucket("bkt"), .secretID("AKIDEXAMPLE"), .secretKey("examplesecretkey")]

/// The emulator that tests/swift/run.sh has started.
let origin = ProcessInfo.processInfo.environment["COSSLICE_TEST_ORIGIN"]!

/// Bytes that no two offsets share, the same for the same size.
func content(_ size: Int) -> Data {
    var state = UInt32(truncatingIfNeeded: size + 1)
    var bytes = [UInt8](repeating: 0, count: size)
    for index in bytes.indices {
        state = state &* 1_664_525 &+ 1_013_904_223
        bytes[index] = UInt8(state >> 24)
    }
    return Data(bytes)
}

func emulated(_ options: [Option] = []) throws -> Config {
    try Config(account + [.endpoint(origin + "/files/v2")] + options)
}

func opened(_ path: String, _ options: [Option] = []) throws -> Upload {
    try Upload(try emulated(options), path: path)
}

private func request(_ request: URLRequest) async throws -> Data {
    try await withCheckedThrowingContinuation { done in
        URLSession.shared.dataTask(with: request) { data, response, error in
            let status = (response as? HTTPURLResponse)?.statusCode
            if let data, status == 200 {
                done.resume(returning: data)
            } else {
                done.resume(throwing: error ?? CocoaError(.fileReadUnknown, userInfo: ["status": status ?? 0]))
            }
        }.resume()
    }
}

func fetched(_ path: String) async throws -> Data {
    let encoded = path.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(.init(charactersIn: "/-_.~")))!
    return try await request(URLRequest(url: URL(string: "\(origin)/1250000000/bkt\(encoded)")!))
}

/// Replaces the faults.
func faults(_ rules: [[String: Any]]) async throws {
    var post = URLRequest(url: URL(string: origin + "/_emulator/faults")!)
    post.httpMethod = "POST"
    post.httpBody = try JSONSerialization.data(withJSONObject: rules)
    _ = try await request(post)
}

func failure(_ body: () async throws -> Void, file: StaticString = #filePath, line: UInt = #line) async -> CossliceError? {
    do {
        try await body()
        XCTFail("it went well", file: file, line: line)
    } catch let error as CossliceError {
        return error
    } catch {
        XCTFail("it threw \(error)", file: file, line: line)
    }
    return nil
}

/// Something that closures of several threads write.
final class Shared<T>: @unchecked Sendable {
    private let lock = NSLock()
    private var value: T
    init(_ value: T) { self.value = value }

    func change(_ body: (inout T) -> Void) {
        lock.lock()
        body(&value)
        lock.unlock()
    }

    var now: T {
        lock.lock()
        defer { lock.unlock() }
        return value
    }
}
