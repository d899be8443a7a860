/// One client of a simulation: when it asked, and what it got when.
struct SimulatedClient {
    var dueAt: UInt64
    var firstTokenAt: UInt64?
    var endedAt: UInt64?
    var tokenCount = 0
    var isRefused = false

    init(dueAt: UInt64) { self.dueAt = dueAt }

    mutating func take(_ count: Int, at time: UInt64) {
        if firstTokenAt == nil { firstTokenAt = time }
        tokenCount += count
    }

    var firstTokenSeconds: Double? { firstTokenAt.map { Double($0 - dueAt) / 1e9 } }

    var endToEndSeconds: Double? { endedAt.map { Double($0 - dueAt) / 1e9 } }

    var secondsPerToken: Double? {
        guard let firstTokenAt, let endedAt, tokenCount > 1 else { return nil }
        return Double(endedAt - firstTokenAt) / 1e9 / Double(tokenCount - 1)
    }
}

/// Seconds as the clock's nanoseconds.
func nanoseconds(_ seconds: Double) -> UInt64 { UInt64(max(0, seconds) * 1e9) }
