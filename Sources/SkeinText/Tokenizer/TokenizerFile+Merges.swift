import SkeinCore

extension TokenizerFile {
    /// The merges, with the tokens of the 256 bytes.
    func merges() throws(Refusal) -> BytePairMerges {
        let model = try root.required("model")
        let field = try model.required("merges")
        guard let entries = field.value.array else { throw field.expected("a list") }
        let addedNumbers = Set(added.map(\.token.rawValue))
        var merges = BytePairMerges(byteTokens: try byteTokens(), capacity: entries.count)
        for (index, entry) in entries.enumerated() {
            guard let (left, right) = Self.pair(entry) else {
                throw Refusal(
                    "\(field.subject)[\(index)]",
                    "found \(entry.summary), expected \"a b\" or [\"a\", \"b\"]")
            }
            let joined = Array(left.utf8) + Array(right.utf8)
            guard let first = numbers.number(of: left.utf8),
                let second = numbers.number(of: right.utf8),
                let product = numbers.number(of: joined)
            else {
                throw Refusal(
                    "\(field.subject)[\(index)]",
                    "\(Self.quoted(left)) and \(Self.quoted(right)) cannot be joined: one of "
                        + "them, or the two together, is not in model.vocab")
            }
            // Added tokens come only from where they are matched, never out of ordinary text.
            if addedNumbers.contains(product) { continue }
            merges.insert(first, second, .init(order: UInt32(index), product: product))
        }
        return merges
    }

    private static func pair(_ entry: JSONValue) -> (String, String)? {
        switch entry {
        case .string(let text):
            let parts = text.utf8.split(separator: 0x20, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return nil }
            return (String(Substring(parts[0])), String(Substring(parts[1])))
        case .array(let parts):
            guard parts.count == 2, let left = parts[0].string, let right = parts[1].string,
                !left.isEmpty, !right.isEmpty
            else { return nil }
            return (left, right)
        default: return nil
        }
    }

    private func byteTokens() throws(Refusal) -> [Int32] {
        var tokens: [Int32] = []
        for (byte, scalar) in ByteAlphabet.scalars.enumerated() {
            if let number = numbers.number(of: String(Character(scalar)).utf8) {
                tokens.append(number)
                continue
            }
            // These bytes never occur in UTF-8.
            guard byte == 0xC0 || byte == 0xC1 || byte >= 0xF5 else {
                throw Refusal(
                    "\(root.file): model.vocab",
                    "has no token \(Self.quoted(String(Character(scalar)))) for the byte \(byte), "
                        + "which byte-level BPE needs")
            }
            tokens.append(-1)
        }
        return tokens
    }

    /// The tokens by the bytes they stand for, added ones left out.
    func wholeTokens() -> ByteStringTable {
        var table = ByteStringTable(capacity: vocabulary.count)
        for number in 0..<Int32(vocabulary.count) {
            let token = TokenID(rawValue: number)
            guard vocabulary.mark(of: token) == .exists else { continue }
            _ = table.insert(vocabulary.bytes(of: token), number)
        }
        return table
    }
}

extension TokenizerFile {
    /// Whether text is brought into Unicode's composed form (NFC) first.
    func composesText() throws(Refusal) -> Bool {
        guard let normalizer = root.optional("normalizer") else { return false }
        return try Self.composes(normalizer)
    }

    private static func composes(_ normalizer: JSONField) throws(Refusal) -> Bool {
        let type = try normalizer.required("type")
        switch type.value.string {
        case "NFC": return true
        case "Sequence":
            var composes = false
            for inner in try normalizer.required("normalizers").elements() {
                guard try inner.required("type").value.string != "Sequence" else {
                    throw inner.expected("no Sequence inside a Sequence")
                }
                if try Self.composes(inner) { composes = true }
            }
            return composes
        default: throw type.expected("no normalizer, or \"NFC\"")
        }
    }

    /// The stages that cut text into pieces.
    func splitter() throws(Refusal) -> PieceSplitter {
        let field = try root.required("pre_tokenizer")
        var parts = [field]
        if try field.required("type").value.string == "Sequence" {
            parts = try field.required("pretokenizers").elements()
        }
        guard parts.count <= 64 else { throw field.expected("at most 64 stages") }
        var stages: [PieceSplitter.Stage] = []
        var hasBytes = false
        for part in parts {
            guard !hasBytes else { throw part.expected("nothing after ByteLevel") }
            let type = try part.required("type")
            switch type.value.string {
            case "Split": stages.append(try Self.split(part))
            case "Digits":
                let alone = try part.flag("individual_digits", otherwise: false)
                stages.append(alone ? .digits : .digitRuns)
            case "ByteLevel":
                hasBytes = true
                if try part.flag("add_prefix_space", otherwise: true) {
                    throw Refusal(
                        "\(part.subject).add_prefix_space",
                        "found true, expected false: Skein adds no space to a text")
                }
                if try part.flag("use_regex", otherwise: true) {
                    let pattern = PieceSplitter.byteLevelPattern
                    stages.append(try PieceSplitter.stage(pattern: pattern, subject: part.subject))
                }
            default: throw type.expected("\"Split\", \"Digits\" or \"ByteLevel\"")
            }
        }
        guard hasBytes else { throw field.expected("ByteLevel as the last stage") }
        return PieceSplitter(stages: stages)
    }

    private static func split(_ part: JSONField) throws(Refusal) -> PieceSplitter.Stage {
        let behavior = try part.required("behavior")
        guard behavior.value.string == "Isolated" else { throw behavior.expected("\"Isolated\"") }
        if try part.flag("invert", otherwise: false) {
            throw Refusal("\(part.subject).invert", "found true, expected false")
        }
        let pattern = try part.required("pattern")
        if let regex = pattern.optional("Regex") {
            return try PieceSplitter.stage(pattern: try regex.string(), subject: regex.subject)
        }
        let text = try pattern.required("String")
        var escaped = ""
        for scalar in try text.string().unicodeScalars {
            escaped += #"\x{"# + String(scalar.value, radix: 16) + "}"
        }
        guard !escaped.isEmpty else { throw text.expected("a text that is not empty") }
        return .pattern(try TextPattern(escaped, subject: text.subject))
    }
}
