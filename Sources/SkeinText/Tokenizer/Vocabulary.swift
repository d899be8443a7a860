import SkeinCore

/// The tokens of a tokenizer: what bytes each stands for, and which ones are special.
struct Vocabulary: Sendable {
    /// What is known about one token number.
    struct Mark: OptionSet, Sendable {
        let rawValue: UInt8

        /// The number has a token.
        static let exists = Mark(rawValue: 1)

        /// The token is an added one, matched in the text before anything else.
        static let added = Mark(rawValue: 2)

        /// The token is control, left out of text on demand.
        static let special = Mark(rawValue: 4)
    }

    private var marks: [Mark]
    private var starts: [Int]
    private var storage: [UInt8]

    /// One more than the highest token number.
    var count: Int { marks.count }

    /// - Parameter tokens: The bytes and marks of each token number, without gaps.
    init(_ tokens: [(bytes: [UInt8], mark: Mark)]) {
        marks = tokens.map(\.mark)
        starts = [0]
        storage = []
        starts.reserveCapacity(tokens.count + 1)
        for token in tokens {
            storage += token.bytes
            starts.append(storage.count)
        }
    }

    /// The marks of a token; empty for a number that has no token.
    func mark(of token: TokenID) -> Mark {
        let index = Int(token.rawValue)
        return marks.indices.contains(index) ? marks[index] : []
    }

    /// The bytes of a token; none for a number that has no token.
    func bytes(of token: TokenID) -> ArraySlice<UInt8> {
        let index = Int(token.rawValue)
        guard marks.indices.contains(index) else { return [] }
        return storage[starts[index]..<starts[index + 1]]
    }
}

/// Finds a number by a string of bytes.
///
/// A dictionary of `String` would take two spellings of one character for the same token.
struct ByteStringTable: Sendable {
    private var slots: [Int32]
    private var starts: [Int] = [0]
    private var storage: [UInt8] = []
    private var numbers: [Int32] = []

    /// The length of the longest string.
    private(set) var longest = 0

    /// - Parameter capacity: How many strings will be put in, at most.
    init(capacity: Int) {
        var size = 16
        while size < capacity * 2 { size *= 2 }
        slots = [Int32](repeating: -1, count: size)
        starts.reserveCapacity(capacity + 1)
        numbers.reserveCapacity(capacity)
    }

    /// Puts a string in; returns false, and changes nothing, if it is there already.
    mutating func insert(_ bytes: some Collection<UInt8>, _ number: Int32) -> Bool {
        let slot = slot(of: bytes)
        guard slots[slot] < 0 else { return false }
        precondition(numbers.count * 2 < slots.count, "more strings than the table was made for")
        slots[slot] = Int32(numbers.count)
        numbers.append(number)
        storage.append(contentsOf: bytes)
        starts.append(storage.count)
        longest = max(longest, bytes.count)
        return true
    }

    /// The number put in with a string.
    func number(of bytes: some Collection<UInt8>) -> Int32? {
        let entry = slots[slot(of: bytes)]
        return entry < 0 ? nil : numbers[Int(entry)]
    }

    /// The slot that holds a string, or the free one where it belongs.
    private func slot(of bytes: some Collection<UInt8>) -> Int {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        hash = (hash ^ hash >> 32) &* 0x9E37_79B9_7F4A_7C15
        var slot = Int(hash >> 20) & (slots.count - 1)
        while slots[slot] >= 0, !holds(bytes, at: Int(slots[slot])) {
            slot = (slot + 1) & (slots.count - 1)
        }
        return slot
    }

    private func holds(_ bytes: some Collection<UInt8>, at entry: Int) -> Bool {
        let range = starts[entry]..<starts[entry + 1]
        guard range.count == bytes.count else { return false }
        var position = range.lowerBound
        for byte in bytes {
            if storage[position] != byte { return false }
            position += 1
        }
        return true
    }
}
