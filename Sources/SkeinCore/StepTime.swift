/// How long a step occupies its stage, which is what ``TokenReturn/stageTimes`` reports.
///
/// A step that waits for experts on other hosts computes little and yet keeps one of the stage's
/// places. With a number of places the stage cannot finish steps faster than one for each share of
/// the stay, so this is what sets the pace of the ring.
public enum StepTime {
    /// The time of a measured step.
    ///
    /// - Parameters:
    ///   - computed: how long the stage computed for it.
    ///   - stay: from its begin to its end, waits included.
    ///   - concurrency: steps that the stage may have begun at the same time.
    public static func occupied(
        computed: Duration, stay: Duration, concurrency: Int
    ) -> Duration {
        max(computed, stay / concurrency)
    }

    /// The same in seconds, for a step that is predicted.
    public static func occupiedSeconds(
        computed: Double, stay: Double, concurrency: Int
    ) -> Double {
        max(computed, stay / Double(concurrency))
    }
}
