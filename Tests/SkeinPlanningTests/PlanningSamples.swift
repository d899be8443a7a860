// The models and hosts that the planning tests speak of.

import Foundation
import SkeinCore
import SkeinPlanning

/// Models by their configuration files.
enum SampleModel {
    private static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// DeepSeek-V3 as published.
    static func deepSeekV3() throws -> ModelConfiguration {
        try read("cluster/models/deepseek-v3/config.json")
    }

    /// Eight layers of V3's kind: the benchmark model.
    static func bench() throws -> ModelConfiguration {
        try read("cluster/models/bench/config.json")
    }

    private static func read(_ path: String) throws -> ModelConfiguration {
        let bytes = Array(try Data(contentsOf: root.appending(path: path)))
        return try ModelConfiguration(json: bytes, subject: path)
    }
}

/// Hosts of one kind, and what may differ.
enum SampleHosts {
    /// A server with 32 cores: 200 GB/s, 3 and 2 TFLOP/s.
    static let serverRates = HostRates(
        readBytesPerSecond: 200e9, bfloat16FlopsPerSecond: 3e12, float32FlopsPerSecond: 2e12)

    static func host(
        _ index: Int, gigabytes: Double, speed: Double = 1, role: HostRole = .any
    ) throws -> PlannedHost {
        var rates = serverRates
        rates = HostRates(
            readBytesPerSecond: rates.readBytesPerSecond * speed,
            bfloat16FlopsPerSecond: rates.bfloat16.flopsPerSecond * speed,
            float32FlopsPerSecond: rates.float32.flopsPerSecond * speed)
        return PlannedHost(
            name: "h\(index)", address: try TCPAddress(parsing: "tcp://192.0.2.\(index + 1):7101"),
            memoryBytes: Int(gigabytes * 1e9), coreCount: 32, rates: rates, role: role,
            pricePerHour: 1.5, watts: 400)
    }

    /// Equal hosts on one network.
    static func equal(
        _ count: Int, gigabytes: Double, latencyMilliseconds: Double = 0.1, gigabits: Double = 10
    ) throws -> PlannedHosts {
        PlannedHosts(
            hosts: try (0..<count).map { try host($0, gigabytes: gigabytes) },
            link: link(latencyMilliseconds, gigabits))
    }

    static func link(_ latencyMilliseconds: Double, _ gigabits: Double) -> LinkRate {
        LinkRate(
            latencySeconds: latencyMilliseconds / 1_000, bytesPerSecond: gigabits * 125e6)
    }
}
