// swift-tools-version: 6.2
import PackageDescription

// A package of its own: swift-subprocess and Foundation are this program's, not procctl's.
let package = Package(
  name: "reaping-host",
  dependencies: [
    .package(name: "procctl", path: "../.."),
    .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.0"),
  ],
  targets: [
    .target(name: "CHost"),
    .executableTarget(
      name: "reaping-host",
      dependencies: [
        "CHost",
        .product(name: "ProcCtl", package: "procctl"),
        .product(name: "Subprocess", package: "swift-subprocess"),
      ]),
  ]
)
