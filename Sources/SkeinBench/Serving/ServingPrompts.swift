import SkeinCore

/// The prompts of a whole measurement, one after another, none twice as long as there are others.
struct ServingPrompts: Sendable {
    private enum Source: Sendable {
        case random(RandomPrompts)
        case listed([ServingPrompt])
    }

    private let source: Source
    private var taken = 0

    /// Random prompts.
    init(_ random: RandomPrompts) { source = .random(random) }

    /// The prompts of a file in an order that the seed decides.
    init(_ prompts: [ServingPrompt], seed: UInt64) {
        precondition(!prompts.isEmpty, "a file of prompts without a prompt")
        var numbers = SeededNumbers(seed: seed, purpose: 4)
        source = .listed(prompts.shuffled(using: &numbers))
    }

    /// The next prompt; a file is begun again where it ends.
    mutating func next() -> ServingPrompt {
        defer { taken += 1 }
        switch source {
        case .random(let random): return random.prompt(taken)
        case .listed(let prompts): return prompts[taken % prompts.count]
        }
    }

    /// Prompts that were asked for more than once, because the file has too few.
    var repeatedCount: Int {
        switch source {
        case .random: 0
        case .listed(let prompts): max(0, taken - prompts.count)
        }
    }
}
