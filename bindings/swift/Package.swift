// swift-tools-version:5.9
import Foundation
import PackageDescription

// On Apple's platforms the library comes in an xcframework (xcframework.sh); elsewhere pkg-config finds it.
let framework = ProcessInfo.processInfo.environment["COSSLICE_XCFRAMEWORK"]
let library: Target =
    framework.map { .binaryTarget(name: "CCosslice", path: $0) }
    ?? .systemLibrary(name: "CCosslice", path: "Sources/CCosslice", pkgConfig: "cosslice")

let package = Package(
    name: "Cosslice",
    platforms: [.macOS(.v11), .iOS(.v14)],
    products: [
        .library(name: "Cosslice", targets: ["Cosslice"]),
        .executable(name: "cosslice-put", targets: ["cosslice-put"]),
    ],
    targets: [
        library,
        .target(name: "Cosslice", dependencies: ["CCosslice"]),
        .executableTarget(name: "cosslice-put", dependencies: ["Cosslice"]),
        .testTarget(name: "CossliceTests", dependencies: ["Cosslice", "CCosslice"]),
    ]
)
