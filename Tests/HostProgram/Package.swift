// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .treatAllWarnings(as: .error),
]

// A package of its own: Foundation and swift-subprocess are what it tests ProcCtl
// beside, and nobody who depends on ProcCtl shall resolve them. The service group is
// another program that the libraries have to live in.
let package = Package(
  name: "host-program",
  dependencies: [
    .package(name: "procctl", path: "../.."),
    .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.0", traits: []),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    .systemLibrary(name: "CHostProgram"),
    .executableTarget(
      name: "host-program",
      dependencies: [
        "CHostProgram",
        .product(name: "ProcCtl", package: "procctl"),
        .product(name: "Subprocess", package: "swift-subprocess"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "lifecycle-host",
      dependencies: [
        .product(name: "GracefulShutdown", package: "procctl"),
        .product(name: "GracefulShutdownServiceLifecycle", package: "procctl"),
        .product(name: "SupervisionServiceLifecycle", package: "procctl"),
        .product(name: "ProcCtl", package: "procctl"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: strict),
    .testTarget(
      name: "HostProgramTests", dependencies: ["host-program", "lifecycle-host"], swiftSettings: strict),
  ]
)
