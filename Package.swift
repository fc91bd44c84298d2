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

let strictC: [CSetting] = [
  .enableWarning("all"),
  .enableWarning("extra"),
  .treatAllWarnings(as: .error),
]

let argumentParser = Target.Dependency.product(
  name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let toml = Target.Dependency.product(name: "TOMLKit", package: "TOMLKit")
let metrics = Target.Dependency.product(name: "CoreMetrics", package: "swift-metrics")
let metricsTestKit = Target.Dependency.product(name: "MetricsTestKit", package: "swift-metrics")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let lifecycleTestKit = Target.Dependency.product(
  name: "ServiceLifecycleTestKit", package: "swift-service-lifecycle")

let package = Package(
  name: "procctl",
  products: [
    .library(name: "ProcCtl", targets: ["ProcCtl"]),
    .library(name: "SystemdNotify", targets: ["SystemdNotify"]),
    .library(name: "GracefulShutdown", targets: ["GracefulShutdown"]),
    .library(name: "GracefulShutdownNIO", targets: ["GracefulShutdownNIO"]),
    .library(name: "GracefulShutdownServiceLifecycle", targets: ["GracefulShutdownServiceLifecycle"]),
    .library(name: "Supervision", targets: ["Supervision"]),
    .library(name: "SupervisionServiceLifecycle", targets: ["SupervisionServiceLifecycle"]),
    .executable(name: "procctl", targets: ["procctl"]),
    .executable(name: "repository-worker", targets: ["repository-worker"]),
    // For the system tests only. As a dynamic product it is the one thing a plain build makes a file
    // of that can be preloaded, without unsafe flags; who depends on the package does not build it.
    .library(name: "_FaultInjection", type: .dynamic, targets: ["FaultInjection"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
    .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.5.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    .systemLibrary(
      name: "CProcCtl", path: "CShims/CProcCtl", pkgConfig: "libsystemd libcap",
      providers: [.apt(["libsystemd-dev", "libcap-dev"])]),
    .target(name: "CProcCtlChild", path: "CShims/CProcCtlChild", cSettings: strictC),

    .target(
      name: "ProcCtl", dependencies: ["CProcCtl", "CProcCtlChild", system],
      swiftSettings: strict),
    .target(
      name: "SystemdNotify", dependencies: ["CProcCtl", logging, system], swiftSettings: strict),
    .target(
      name: "GracefulShutdown", dependencies: [logging, metrics, system], swiftSettings: strict),
    .target(
      name: "GracefulShutdownNIO", dependencies: ["GracefulShutdown", nioCore], swiftSettings: strict),
    .target(
      name: "GracefulShutdownServiceLifecycle",
      dependencies: ["GracefulShutdown", lifecycle, logging], swiftSettings: strict),
    .target(
      name: "Supervision",
      dependencies: [
        "ProcCtl", "SystemdNotify", "CProcCtl", "CProcCtlChild", logging, system, toml, nioCore, nioHTTP1,
        nioEmbedded,
      ],
      swiftSettings: strict),
    .target(
      name: "SupervisionServiceLifecycle", dependencies: ["ProcCtl", lifecycle, logging, system],
      swiftSettings: strict),
    .executableTarget(
      name: "procctl",
      dependencies: [
        "Supervision", "ProcCtl", "SystemdNotify", "CProcCtl", "CProcCtlChild", argumentParser, logging,
        system,
      ],
      swiftSettings: strict),
    .target(
      name: "RepositoryWorker",
      dependencies: [
        "ProcCtl", "SystemdNotify", "GracefulShutdown", logging, system, nioCore, nioHTTP1, nioPosix,
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "repository-worker", dependencies: ["RepositoryWorker", argumentParser, logging, system],
      swiftSettings: strict),

    // Here and not in Examples/adopting, which would have to build all of Supervision once more.
    .executableTarget(
      name: "supervising", dependencies: ["Supervision", "SystemdNotify", logging],
      path: "Examples/supervising", swiftSettings: strict),
    .executableTarget(
      name: "test-workload", path: "Tests/Workload", cSettings: strictC),
    .target(
      name: "FaultInjection", path: "Tests/FaultInjection", cSettings: strictC),
    .executableTarget(
      name: "listen-probe", dependencies: ["SystemdNotify", "CProcCtl", system], path: "Tests/ListenProbe",
      swiftSettings: strict),
    .target(name: "SeededRandom", path: "Tests/SeededRandom", swiftSettings: strict),
    .target(
      name: "TemporaryFiles", dependencies: [system], path: "Tests/TemporaryFiles", swiftSettings: strict),
    .testTarget(
      name: "ProcCtlTests", dependencies: ["SeededRandom", "ProcCtl", "CProcCtl", system],
      swiftSettings: strict),
    .testTarget(
      name: "SystemdNotifyTests",
      dependencies: [
        "ProcCtl", "listen-probe", "SeededRandom", "TemporaryFiles", "SystemdNotify", "CProcCtl", system,
        logging,
      ],
      swiftSettings: strict),
    .testTarget(
      name: "GracefulShutdownTests",
      dependencies: [
        "GracefulShutdown", "GracefulShutdownNIO", "GracefulShutdownServiceLifecycle", "SeededRandom",
        "TemporaryFiles",
        lifecycle, lifecycleTestKit, logging, metrics, metricsTestKit, nioCore, nioPosix, system,
      ],
      swiftSettings: strict),
    .testTarget(
      name: "RepositoryWorkerTests",
      dependencies: [
        "RepositoryWorker", "GracefulShutdown", "ProcCtl", "repository-worker", logging, system, nioCore,
        nioHTTP1, nioPosix,
      ],
      swiftSettings: strict),
    .testTarget(
      name: "SupervisionTests",
      dependencies: [
        "SeededRandom", "Simulation", "TemporaryFiles", "Supervision", "ProcCtl", system, logging,
      ],
      exclude: ["Record/timeline.svg"], swiftSettings: strict),
    .target(
      name: "Simulation", dependencies: ["SeededRandom", "Supervision", "ProcCtl", system],
      path: "Tests/Simulation", swiftSettings: strict),
    .executableTarget(
      name: "simulate", dependencies: ["Simulation", "ProcCtl", argumentParser], path: "Tests/Simulate",
      swiftSettings: strict),
    .testTarget(name: "SimulationTests", dependencies: ["Simulation"], swiftSettings: strict),
    .testTarget(
      name: "SystemTests",
      dependencies: [
        "SeededRandom", "Supervision", "ProcCtl", "procctl", "repository-worker", "test-workload", system,
      ],
      exclude: ["systemd", "RealWorkers/programs"],
      swiftSettings: strict),
  ]
)

// A build with a sanitizer takes long enough with the test targets it is for: see Tests/Sanitizers/run.
if let names = Context.environment["PROCCTL_TEST_TARGETS"]?.split(separator: " ").map(String.init) {
  package.targets.removeAll { $0.type == .test && !names.contains($0.name) }
}
