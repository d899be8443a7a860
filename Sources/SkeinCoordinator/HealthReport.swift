public import SkeinMembership

/// Whether a cluster serves, and how that was found.
public struct HealthReport: Sendable {
    /// The verdict and its reasons.
    public let verdict: HealthVerdict
    /// What became of the probe, where one was asked for.
    public let probe: ProbeSign

    /// Joins a verdict with the probe that it rests on.
    public init(verdict: HealthVerdict, probe: ProbeSign) {
        self.verdict = verdict
        self.probe = probe
    }
}
