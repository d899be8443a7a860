// swift-tools-version: 6.2
// The plan of the house. A room may open only rooms on lower floors, and only those it declares;
// build with `--explicit-target-dependency-import-check error` so that the compiler holds us to it.
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

// Tests open rooms with @testable, which a debug build allows by itself. cluster/prepare.bash asks
// for it in release builds, of our rooms alone: outside packages compile faster without.
let testable: [SwiftSetting] =
    Context.environment["SKEIN_TESTABLE"] == nil
    ? [] : [.unsafeFlags(["-enable-testing"], .when(configuration: .release))]

// Most tests take longer to optimise than to run.
let unoptimised: [SwiftSetting] = [.unsafeFlags(["-Onone"], .when(configuration: .release))]

/// One room of the house: a Swift target, the lower rooms it may open, and outside packages.
func room(
    _ name: String, _ lower: [String] = [], outside: [Target.Dependency] = []
) -> Target {
    .target(
        name: name, dependencies: lower.map { .byName(name: $0) } + outside,
        swiftSettings: settings + testable)
}

/// The tests of one room, or of several rooms together.
func tests(
    _ name: String, _ opens: [String], outside: [Target.Dependency] = []
) -> Target {
    .testTarget(
        name: name, dependencies: opens.map { .byName(name: $0) } + outside,
        swiftSettings: settings + unoptimised)
}

/// Tests that compute much themselves.
func testsThatCompute(
    _ name: String, _ opens: [String], outside: [Target.Dependency] = []
) -> Target {
    .testTarget(
        name: name, dependencies: opens.map { .byName(name: $0) } + outside,
        swiftSettings: settings)
}

let argumentParser = Target.Dependency.product(
    name: "ArgumentParser", package: "swift-argument-parser")
let asyncHTTPClient = Target.Dependency.product(
    name: "AsyncHTTPClient", package: "async-http-client")
let histogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let hummingbirdTLS = Target.Dependency.product(name: "HummingbirdTLS", package: "hummingbird")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let serviceLifecycle = Target.Dependency.product(
    name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals = Target.Dependency.product(
    name: "UnixSignals", package: "swift-service-lifecycle")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

// Tests of the AVX-512 kernels on machines without these instructions; see `cluster/sanitize`.
let emulation: [CSetting]? =
    Context.environment["SKEIN_EMULATES_AVX512"] == nil
    ? nil : [.define("SKEIN_EMULATES_AVX512"), .unsafeFlags(["-O1"])]

let package = Package(
    name: "skein",
    platforms: [.macOS(.v15)],
    products: [.executable(name: "skein", targets: ["skein"])],
    dependencies: [
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.0.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.70.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.20.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.30.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.6.0"),
    ],
    targets: [
        // Floor 0: foundations
        .systemLibrary(name: "COpenBLAS", providers: [.apt(["libopenblas-dev"])]),
        .systemLibrary(name: "CProtobufC", providers: [.apt(["libprotobuf-c-dev"])]),
        .systemLibrary(name: "CSodium", providers: [.apt(["libsodium-dev"])]),
        .systemLibrary(name: "CZeroMQ", providers: [.apt(["libzmq3-dev"])]),

        // Floor 1: ground floor
        .target(name: "CSkeinKernels", cSettings: emulation ?? [.unsafeFlags(["-O3"])]),
        .target(name: "CSkeinProto", dependencies: ["CProtobufC"]),
        room("SkeinCore"),

        // Floor 2: three doors to C
        room("SkeinTensor", ["CSkeinKernels", "COpenBLAS", "CSodium", "SkeinCore"]),
        room("SkeinWire", ["SkeinCore", "CSkeinProto", "CProtobufC"]),
        room("SkeinTransport", ["SkeinCore", "CZeroMQ"]),

        // Floor 3: single rooms
        room("SkeinText", ["SkeinCore"]),
        room("SkeinScheduling", ["SkeinCore"]),
        room("SkeinMembership", ["SkeinCore"]),
        room("SkeinWeights", ["SkeinCore", "SkeinTensor"]),
        room("SkeinCache", ["SkeinCore", "SkeinTensor"]),
        room("SkeinDecoding", ["SkeinCore"]),
        room("SkeinJournal", ["SkeinCore"]),
        room("SkeinRollout", ["SkeinCore"]),
        room("SkeinTelemetry", ["SkeinCore"]),

        // Floor 4: architecture
        room("SkeinModel", ["SkeinCore", "SkeinTensor", "SkeinWeights", "SkeinCache"]),
        room("SkeinPlanning", ["SkeinCore", "SkeinScheduling", "SkeinWeights"]),

        // Floor 5: the yardstick
        room("SkeinReference", ["SkeinCore", "SkeinTensor", "SkeinWeights", "SkeinModel"]),

        // Floor 5: actors; they meet only on the wire
        room(
            "SkeinStage",
            [
                "SkeinCore", "SkeinTensor", "SkeinWire", "SkeinTransport", "SkeinWeights",
                "SkeinCache", "SkeinDecoding", "SkeinTelemetry", "SkeinModel",
            ], outside: [logging]),
        room(
            "SkeinCoordinator",
            [
                "SkeinCore", "SkeinWire", "SkeinTransport", "SkeinText", "SkeinScheduling",
                "SkeinMembership", "SkeinTelemetry", "SkeinJournal", "SkeinWeights",
                "SkeinPlanning",
            ], outside: [logging]),

        // Floor 6: front door
        room(
            "SkeinCluster",
            [
                "SkeinCore", "SkeinTensor", "SkeinTransport", "SkeinText", "SkeinWeights",
                "SkeinTelemetry", "SkeinStage", "SkeinCoordinator", "SkeinMembership",
                "SkeinPlanning",
            ], outside: [logging, yams]),
        room(
            "SkeinServer",
            [
                "SkeinCore", "SkeinTensor", "SkeinText", "SkeinTelemetry", "SkeinCoordinator",
                "SkeinJournal",
                "SkeinMembership",
            ],
            outside: [
                httpTypes, hummingbird, hummingbirdCore, hummingbirdTLS, logging, nioCore,
                nioHTTP1, nioSSL, serviceLifecycle,
            ]),
        room(
            "SkeinBench",
            [
                "SkeinCore", "SkeinTensor", "SkeinTelemetry", "SkeinWeights", "SkeinScheduling",
                "SkeinPlanning", "SkeinCoordinator", "SkeinTransport",
            ],
            outside: [asyncHTTPClient, histogram, nioCore, nioHTTP1, nioPosix, nioSSL]),

        // Floor 7: roof
        .executableTarget(
            name: "skein",
            dependencies: [
                "SkeinCore", "SkeinTensor", "SkeinTransport", "SkeinText", "SkeinMembership",
                "SkeinTelemetry", "SkeinWeights", "SkeinPlanning", "SkeinStage", "SkeinCoordinator",
                "SkeinCluster", "SkeinServer",
                "SkeinRollout", "SkeinReference", "SkeinBench", argumentParser, asyncHTTPClient,
                logging, nioCore,
                nioHTTP1, nioSSL, unixSignals,
            ],
            swiftSettings: settings + testable),

        // Tests, a room each, then several rooms together
        tests("SkeinCoreTests", ["SkeinCore"]),
        testsThatCompute("SkeinTensorTests", ["SkeinCore", "SkeinTensor"]),
        tests("SkeinWireTests", ["SkeinCore", "SkeinWire"]),
        tests("SkeinTransportTests", ["SkeinCore", "SkeinTransport"]),
        testsThatCompute("SkeinTextTests", ["SkeinCore", "SkeinText"]),
        testsThatCompute("SkeinSchedulingTests", ["SkeinCore", "SkeinScheduling"]),
        tests("SkeinMembershipTests", ["SkeinCore", "SkeinMembership"]),
        testsThatCompute("SkeinWeightsTests", ["SkeinCore", "SkeinTensor", "SkeinWeights"]),
        testsThatCompute("SkeinCacheTests", ["SkeinCore", "SkeinTensor", "SkeinCache"]),
        tests("SkeinDecodingTests", ["SkeinCore", "SkeinDecoding"]),
        tests("SkeinJournalTests", ["SkeinCore", "SkeinJournal"]),
        tests("SkeinRolloutTests", ["SkeinCore", "SkeinRollout"]),
        tests("SkeinTelemetryTests", ["SkeinCore", "SkeinTelemetry"]),
        testsThatCompute(
            "SkeinModelTests",
            ["SkeinCore", "SkeinTensor", "SkeinWeights", "SkeinCache", "SkeinModel"]),
        tests(
            "SkeinReferenceTests", ["SkeinCore", "SkeinTensor", "SkeinWeights", "SkeinReference"]),
        tests(
            "SkeinPlanningTests",
            ["SkeinCore", "SkeinScheduling", "SkeinWeights", "SkeinPlanning"]),
        tests(
            "SkeinStageTests",
            [
                "SkeinCore", "SkeinTensor", "SkeinWire", "SkeinTransport", "SkeinModel",
                "SkeinStage",
            ], outside: [logging]),
        tests(
            "SkeinCoordinatorTests",
            [
                "SkeinCore", "SkeinWire", "SkeinTransport", "SkeinMembership",
                "SkeinTelemetry", "SkeinJournal", "SkeinCoordinator",
            ], outside: [logging]),
        tests(
            "SkeinClusterTests",
            ["SkeinCore", "SkeinWeights", "SkeinMembership", "SkeinPlanning", "SkeinCluster"]),
        tests(
            "SkeinServerTests",
            [
                "SkeinCore", "SkeinText", "SkeinTelemetry", "SkeinMembership", "SkeinCoordinator",
                "SkeinCluster", "SkeinServer",
            ], outside: [logging]),
        tests(
            "SkeinBenchTests",
            ["SkeinCore", "SkeinScheduling", "SkeinTelemetry", "SkeinPlanning", "SkeinBench"],
            outside: [asyncHTTPClient, histogram, nioCore, nioHTTP1, nioPosix, nioSSL]),
        tests(
            "SkeinCommandTests", ["SkeinCore", "SkeinTelemetry", "SkeinCluster", "skein"],
            outside: [argumentParser]),
        testsThatCompute(
            "SkeinSimulationTests",
            [
                "SkeinCore", "SkeinWire", "SkeinScheduling", "SkeinMembership", "SkeinPlanning",
                "SkeinJournal", "SkeinCoordinator",
            ], outside: [logging]),
        testsThatCompute(
            "SkeinEndToEndTests",
            [
                "SkeinCore", "SkeinTensor", "SkeinTransport", "SkeinText", "SkeinWeights",
                "SkeinTelemetry", "SkeinStage", "SkeinCoordinator", "SkeinCluster", "skein",
            ], outside: [httpTypes, hummingbird, logging, nioCore]),
        // A table of what reads bytes from outside; the tests replay the corpora of fuzzing.
        tests(
            "SkeinFuzzTests",
            [
                "SkeinCore", "SkeinTensor", "SkeinWire", "SkeinWeights", "SkeinText",
                "SkeinTransport",
                "SkeinMembership", "SkeinTelemetry", "SkeinPlanning", "SkeinJournal",
                "SkeinCoordinator", "SkeinCluster", "SkeinServer",
            ], outside: [logging]),
        testsThatCompute("SkeinStyleTests", ["SkeinTensor"]),
    ]
)

// cluster/fuzz builds the same table as a program of libFuzzer. Our rooms are optimised and watched
// for coverage, those with pointers for memory too; packages from outside are built as they are.
if let fuzzer = Context.environment["SKEIN_FUZZES"] {
    let watched = ["-O", "-parse-as-library"]
    let doors = ["SkeinTensor", "SkeinWire", "SkeinTransport"]
    for target in package.targets where target.type == .regular {
        if target.name.hasPrefix("C") {
            target.cSettings =
                (target.cSettings ?? [])
                + [.unsafeFlags(["-O1", "-fsanitize=fuzzer-no-link,address"])]
        } else {
            let memory = doors.contains(target.name) ? ",address" : ""
            let sanitizers = "-sanitize=fuzzer\(memory)"
            target.swiftSettings = settings + [.unsafeFlags(watched + [sanitizers])]
        }
    }
    let programs = package.targets.filter { $0.name == "SkeinFuzzTests" }.map { table in
        Target.executableTarget(
            name: table.name, dependencies: table.dependencies, path: "Tests/SkeinFuzzTests",
            exclude: ["Corpora", "CorpusTests.swift"],
            swiftSettings: settings + [.unsafeFlags(watched)],
            linkerSettings: [
                .unsafeFlags(["-sanitize=address", "-use-ld=lld", "-Xlinker", fuzzer]),
                .linkedLibrary("stdc++"),
            ])
    }
    package.targets.removeAll { $0.type == .test || $0.name == "skein" }
    package.targets += programs
    package.products = []
} else {
    for target in package.targets where target.name == "SkeinFuzzTests" {
        target.exclude = ["Corpora", "FuzzDriver.swift"]
    }
}

// cluster/sanitize builds a few rooms with flags of its own, and nothing from outside.
if let rooms = Context.environment["SKEIN_ROOMS"]?.split(separator: ",").map(String.init) {
    package.targets.removeAll { !rooms.contains($0.name) }
    package.products = []
    let wanted = package.targets.flatMap(\.dependencies).compactMap { dependency in
        if case .productItem(_, let package, _, _) = dependency { package } else { nil }
    }
    package.dependencies.removeAll { dependency in
        guard case .sourceControl(_, let location, _) = dependency.kind else { return false }
        return !wanted.contains(String(location.split(separator: "/").last ?? ""))
    }
}
