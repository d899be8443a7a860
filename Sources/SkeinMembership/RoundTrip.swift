/// How long a heartbeat and its answer take together, measured on the asker's own clock.
public struct RoundTrip: Equatable, Sendable {
    /// The last measurement.
    public private(set) var last: Duration

    /// A running mean with the weight of TCP's round-trip estimate (RFC 6298).
    public private(set) var smoothed: Duration

    /// Begins with a first measurement.
    public init(_ first: Duration) {
        last = first
        smoothed = first
    }

    /// Notes another measurement.
    public mutating func note(_ measured: Duration) {
        last = measured
        smoothed += (measured - smoothed) / 8
    }

    /// The time since `echoedMicroseconds` of our own clock; `nil` for an echo that we never sent:
    /// none at all, or one from the future.
    public static func measured(
        echoedMicroseconds: UInt64, now: Duration
    ) -> Duration? {
        guard echoedMicroseconds > 0, let echoed = Int64(exactly: echoedMicroseconds) else {
            return nil
        }
        let trip = now - .microseconds(echoed)
        return trip >= .zero ? trip : nil
    }
}
