public import SkeinCore

/// Looks for stop strings in text as it arrives.
///
/// It holds back only what could still be the beginning of one. The answer ends before the stop
/// string that is complete first, and of several that end together before the longest, so that the
/// result does not depend on how the text was cut into pieces.
public struct StopStringScanner: Sendable {
    /// What became of a piece of text.
    public struct Finding: Equatable, Sendable {
        /// Text that is free to go out.
        public var text: String

        /// The stop string that was met; nothing may follow it.
        public var stopString: String?
    }

    private var matchers: [PrefixMatcher]
    private let strings: [String]
    private var held: [UInt8] = []
    private var isStopped = false

    /// - Parameter strings: None may be empty; none at all is fine.
    public init(_ strings: [String]) throws(Refusal) {
        guard strings.count <= Limits.stopStringsMax else {
            throw Refusal(
                "stop", "found \(strings.count) strings, expected at most \(Limits.stopStringsMax)")
        }
        guard !strings.contains(where: \.isEmpty) else {
            throw Refusal("stop", "found an empty string, expected text")
        }
        self.strings = strings
        matchers = strings.map { PrefixMatcher(Array($0.utf8)) }
    }

    /// Takes the next piece; after a stop string everything is swallowed.
    public mutating func push(_ piece: String) -> Finding {
        guard !isStopped else { return Finding(text: "") }
        for byte in piece.utf8 {
            held.append(byte)
            var longest: Int?
            for index in matchers.indices where matchers[index].advance(byte) {
                let isLonger = longest.map { matchers[$0].length < matchers[index].length }
                if isLonger != false { longest = index }
            }
            guard let longest else { continue }
            isStopped = true
            let free = held.dropLast(matchers[longest].length)
            held = []
            return Finding(
                text: String(decoding: free, as: UTF8.self), stopString: strings[longest])
        }
        let open = matchers.map(\.matched).max() ?? 0
        let free = String(decoding: held.dropLast(open), as: UTF8.self)
        held.removeFirst(held.count - open)
        return Finding(text: free)
    }

    /// What was held back; the text ends here, and another one may begin.
    public mutating func finish() -> String {
        defer {
            held = []
            for index in matchers.indices { matchers[index].forget() }
        }
        return String(decoding: held, as: UTF8.self)
    }
}

/// Follows how much of one string the end of a text matches (Knuth, Morris, Pratt).
private struct PrefixMatcher: Sendable {
    private let string: [UInt8]

    /// For each length matched, the next shorter one to try.
    private let shorter: [Int]

    /// How many bytes of the string the text now ends with.
    private(set) var matched = 0

    var length: Int { string.count }

    init(_ string: [UInt8]) {
        self.string = string
        var shorter = [0, 0]
        var length = 0
        for byte in string.dropFirst() {
            while length > 0, string[length] != byte { length = shorter[length] }
            if string[length] == byte { length += 1 }
            shorter.append(length)
        }
        self.shorter = shorter
    }

    /// Begins again with an empty text.
    mutating func forget() { matched = 0 }

    /// Takes one byte; returns whether the text now ends with the whole string.
    mutating func advance(_ byte: UInt8) -> Bool {
        if matched == string.count { matched = shorter[matched] }
        while matched > 0, string[matched] != byte { matched = shorter[matched] }
        if string[matched] == byte { matched += 1 }
        return matched == string.count
    }
}
