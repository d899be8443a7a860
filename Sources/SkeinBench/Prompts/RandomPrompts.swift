import SkeinCore

/// Makes random prompts of wanted lengths; the same seed and number make the same prompt.
struct RandomPrompts: Sendable {
    /// What prompts are made of.
    enum Material: Equatable, Sendable {
        /// Token ids below the vocabulary's size: the length is exact.
        case tokens(vocabularySize: Int)
        /// Words, of which one takes so many tokens on average: the server counts the length.
        case words(tokensPerWord: Double)
    }

    private let lengths: PromptOrigin.RandomLengths
    private let material: Material
    private let seed: UInt64

    init(_ lengths: PromptOrigin.RandomLengths, material: Material, seed: UInt64) {
        self.lengths = lengths
        self.material = material
        self.seed = seed
    }

    /// The prompt with a number.
    ///
    /// Every number has a prompt of its own, beyond the common prefix: a prompt that comes again
    /// would be found in the server's prefix cache, and flatter it.
    func prompt(_ number: Int) -> ServingPrompt {
        var numbers = SeededNumbers(seed: seed, purpose: 0x1_0000 + UInt64(number))
        let inputCount = length(lengths.inputTokenCount, &numbers)
        let outputCount = length(lengths.outputTokenCount, &numbers)
        var prefixNumbers = SeededNumbers(seed: seed, purpose: 2)
        switch material {
        case .tokens(let vocabularySize):
            let prefix = Self.tokens(lengths.prefixTokenCount, vocabularySize, &prefixNumbers)
            let tokens = prefix + Self.tokens(inputCount, vocabularySize, &numbers)
            return ServingPrompt(
                content: .tokens(tokens), outputTokenCount: outputCount,
                inputTokenCount: tokens.count)
        case .words(let tokensPerWord):
            let prefix = Self.words(lengths.prefixTokenCount, tokensPerWord, &prefixNumbers)
            let text = Self.words(inputCount, tokensPerWord, &numbers)
            return ServingPrompt(
                content: .text((prefix + text).joined(separator: " ")),
                outputTokenCount: outputCount)
        }
    }

    /// Words whose tokens are counted to learn how many a word takes.
    static func sampleWords(seed: UInt64, count: Int) -> [String] {
        var numbers = SeededNumbers(seed: seed, purpose: 3)
        return words(count, 1, &numbers)
    }

    private func length(_ mean: Int, _ numbers: inout SeededNumbers) -> Int {
        let low = Int((Double(mean) * (1 - lengths.rangeRatio)).rounded(.down))
        let high = Int((Double(mean) * (1 + lengths.rangeRatio)).rounded(.up))
        return Int.random(in: max(1, low)...max(1, high), using: &numbers)
    }

    private static func tokens(
        _ count: Int, _ vocabularySize: Int, _ numbers: inout SeededNumbers
    ) -> [Int] {
        (0..<count).map { _ in Int.random(in: 0..<vocabularySize, using: &numbers) }
    }

    private static func words(
        _ tokenCount: Int, _ tokensPerWord: Double, _ numbers: inout SeededNumbers
    ) -> [String] {
        guard tokenCount > 0 else { return [] }
        let wordCount = max(1, Int((Double(tokenCount) / tokensPerWord).rounded()))
        return (0..<wordCount).map { _ in
            vocabulary[Int.random(in: 0..<vocabulary.count, using: &numbers)]
        }
    }

    /// Short common words; most tokenizers know each with its space as one token.
    private static let vocabulary = """
        time year people way day man thing woman life child world school state family student \
        group country problem hand part place case week company system program question work \
        number night point home water room mother area money story fact month lot right study \
        book eye job word business issue side kind head house service friend father power hour \
        game line end member law car city name team minute idea body back parent face level \
        office door health person art war history party result change morning reason research \
        girl guy moment air teacher force order light voice red blue green small large early
        """.split { $0 == " " || $0 == "\n" }.map(String.init)
}
