extension Duration {
    /// Whole microseconds, as the wire carries them; a negative duration gives 0.
    public var wholeMicroseconds: UInt64 {
        let (seconds, attoseconds) = components
        return UInt64(max(0, seconds * 1_000_000 + attoseconds / 1_000_000_000_000))
    }
}
