extension Duration {
    /// Whole microseconds, as the wire carries them; a negative duration gives 0.
    public var wholeMicroseconds: UInt64 {
        let (seconds, attoseconds) = components
        return UInt64(max(0, seconds * 1_000_000 + attoseconds / 1_000_000_000_000))
    }

    /// For people, to a tenth of a second: `5.5 seconds`.
    public var secondsText: String {
        let tenths = Int((self / .milliseconds(100)).rounded())
        return "\(tenths / 10).\(abs(tenths) % 10) seconds"
    }
}
