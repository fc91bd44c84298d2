// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "adopting",
  dependencies: [
    // From outside this repository: .package(url: "https://…/procctl", from: "0.1.0")
    .package(name: "procctl", path: "../.."),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
  ],
  targets: [
    .executableTarget(name: "commands", dependencies: [.product(name: "ProcCtl", package: "procctl")]),
    .executableTarget(
      name: "server", dependencies: [.product(name: "GracefulShutdown", package: "procctl")]),
    .executableTarget(
      name: "notifying", dependencies: [.product(name: "SystemdNotify", package: "procctl")]),
    .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
    .executableTarget(
      name: "database-server",
      dependencies: [
        "CSQLite", .product(name: "GracefulShutdown", package: "procctl"),
        .product(name: "SystemPackage", package: "swift-system"),
      ]),
  ]
)
