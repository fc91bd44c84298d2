// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "adopting",
  dependencies: [
    // From outside this repository: .package(url: "https://…/procctl", from: "0.1.0")
    .package(name: "procctl", path: "../..")
  ],
  targets: [
    .executableTarget(name: "commands", dependencies: [.product(name: "ProcCtl", package: "procctl")]),
    .executableTarget(
      name: "server", dependencies: [.product(name: "GracefulShutdown", package: "procctl")]),
  ]
)
