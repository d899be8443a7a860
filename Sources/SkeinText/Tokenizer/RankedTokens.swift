import Foundation
import SkeinCore

/// A vocabulary in which a token's number is also the order in which it was learnt, as tiktoken's
/// and Mistral's files have it: pairs of neighbours are joined where the two together are a token,
/// the one learnt first before others.
struct RankedTokens {
    /// The bytes of each token by rank, without gaps.
    private(set) var tokens: [[UInt8]] = []

    /// The number of the token of rank 0.
    let firstNumber: Int

    /// How refusals name the tokens.
    private let subject: String

    private var numbers: ByteStringTable

    /// An empty vocabulary.
    init(firstNumber: Int, capacity: Int, subject: String) {
        self.firstNumber = firstNumber
        self.subject = subject
        numbers = ByteStringTable(capacity: capacity)
        tokens.reserveCapacity(capacity)
    }

    /// Adds the token of the next rank.
    mutating func append(base64: String, order: Int) throws(Refusal) {
        guard order == tokens.count else {
            throw Refusal(subject, "found the rank \(order), expected \(tokens.count)")
        }
        let bytes = Data(base64Encoded: base64).map { [UInt8]($0) } ?? []
        guard (1...Limits.tokenBytesMax).contains(bytes.count) else {
            throw Refusal(
                subject,
                "the token of rank \(order) is not 1 to \(Limits.tokenBytesMax) bytes in base64")
        }
        guard numbers.insert(bytes, Int32(firstNumber + order)) else {
            throw Refusal(subject, "the token of rank \(order) is given twice")
        }
        tokens.append(bytes)
    }

    /// The parts of a tokenizer with these tokens and added ones.
    func parts(
        added: [AddedToken], pattern: String, patternSubject: String
    ) throws(Refusal) -> TokenizerParts {
        var entries: [(bytes: [UInt8], mark: Vocabulary.Mark)] = []
        for _ in 0..<firstNumber { entries.append(([], [])) }
        for bytes in tokens { entries.append((bytes, .exists)) }
        var contents: Set<[UInt8]> = []
        for token in added {
            guard contents.insert(token.content).inserted else {
                throw Refusal(
                    subject,
                    "two special tokens are \(String(decoding: token.content, as: UTF8.self))")
            }
            let number = Int(token.token.rawValue)
            while entries.count <= number { entries.append(([], [])) }
            guard entries[number].mark.isEmpty else {
                throw Refusal(subject, "two tokens have the number \(number)")
            }
            entries[number] = (
                token.content, token.isSpecial ? [.exists, .added, .special] : [.exists, .added]
            )
        }
        return TokenizerParts(
            vocabulary: Vocabulary(entries), added: AddedTokens(added),
            splitter: PieceSplitter(stages: [
                try PieceSplitter.stage(pattern: pattern, subject: patternSubject)
            ]),
            merges: try merges(), composesText: false, wholeTokens: numbers)
    }

    private func merges() throws(Refusal) -> BytePairMerges {
        var byteTokens: [Int32] = []
        for byte in UInt8.min...UInt8.max {
            guard let number = numbers.number(of: [byte]) else {
                throw Refusal(subject, "has no token for the byte \(byte)")
            }
            byteTokens.append(number)
        }
        var found: [(left: Int32, right: Int32, order: Int)] = []
        for (order, bytes) in tokens.enumerated() where bytes.count > 1 {
            for place in 1..<bytes.count {
                guard let left = numbers.number(of: bytes[..<place]),
                    let right = numbers.number(of: bytes[place...])
                else { continue }
                found.append((left, right, order))
            }
        }
        var merges = BytePairMerges(byteTokens: byteTokens, capacity: found.count)
        for (left, right, order) in found {
            merges.insert(
                left, right, .init(order: UInt32(order), product: Int32(firstNumber + order)))
        }
        return merges
    }
}

/// Everything a tokenizer is made of.
struct TokenizerParts {
    let vocabulary: Vocabulary
    let added: AddedTokens
    let splitter: PieceSplitter
    let merges: BytePairMerges
    let composesText: Bool

    /// Tokens by their bytes, where a piece that is a token as it stands is not taken apart.
    let wholeTokens: ByteStringTable?
}
