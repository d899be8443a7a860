/// The seed of one completion, which follows from the run's seed and the completion's place alone,
/// so that a run that goes on after a break draws what it would have drawn.
public enum RolloutSeed {
    /// The seed for a completion of a prompt.
    ///
    /// It has 53 bits, so that readers which keep JSON's numbers as doubles do not change it.
    ///
    /// - Parameters:
    ///   - seed: the run's.
    ///   - promptIndex: the prompt's place in its file, from 0.
    ///   - completionIndex: the completion's place among those of its prompt, from 0.
    public static func of(seed: UInt64, promptIndex: Int, completionIndex: Int) -> UInt64 {
        let prompt = mixed(mixed(seed) ^ UInt64(promptIndex))
        return mixed(prompt ^ UInt64(completionIndex)) >> 11
    }

    /// A step of SplitMix64 (Steele, Lea, Flood 2014), in which every bit reaches every other.
    private static func mixed(_ state: UInt64) -> UInt64 {
        var mixed = state &+ 0x9E37_79B9_7F4A_7C15
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
