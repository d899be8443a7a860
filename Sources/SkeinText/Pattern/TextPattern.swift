import SkeinCore

/// A pattern of a pre-tokenizer, in the part of Oniguruma's language that published files use.
///
/// It knows sets, `\p{…}`, alternatives, groups, `(?i:…)`, looking ahead, `^`, `$`, and greedy and
/// possessive repetition of a single set. A repeated group is refused: with it a file could make a
/// text take exponential time. Something unknown is refused, never guessed.
struct TextPattern: Sendable {
    /// One step of the matcher.
    enum Instruction: Equatable, Sendable {
        /// Takes one scalar of a set.
        case take(set: Int)

        /// Takes as many scalars of a set as there are, then gives back one by one.
        case takeMany(set: Int, least: Int, most: Int, givesBack: Bool)

        /// Goes on with the next step; on failure with the step named here.
        case tryFirst(otherwise: Int)

        /// Goes on elsewhere.
        case jump(Int)

        /// Runs the steps up to `end` without moving, and wants them to match or not.
        case look(end: Int, wanted: Bool)

        /// Wants the beginning of a line.
        case lineStart

        /// Wants the end of a line.
        case lineEnd

        /// The pattern (or what looks ahead) has matched.
        case matched
    }

    let program: [Instruction]

    /// The sets that the steps name by number.
    let sets: [ScalarSet]

    /// The set of a pattern that begins with a `set+` and has no alternatives.
    ///
    /// Where such a pattern fails, it fails at every later scalar of the same run too, so that a
    /// search may skip the run instead of trying a long one from each of its scalars.
    let leadingRun: Int?

    /// - Parameter subject: The field that holds the pattern, for refusals.
    init(_ source: String, subject: String) throws(Refusal) {
        var compiler = PatternCompiler(source, subject: subject)
        program = try compiler.compile()
        sets = compiler.sets
        if case .takeMany(let set, 0...1, Int.max, true) = program[0], !compiler.hasChoice {
            leadingRun = set
        } else {
            leadingRun = nil
        }
    }
}
