import SkeinCore

/// Turns a pattern's text into steps.
struct PatternCompiler {
    private let source: [Unicode.Scalar]
    private let subject: String
    private var position = 0
    private var depth = 0
    private var ignoresCase = false
    private var program: [TextPattern.Instruction] = []

    /// The sets met so far, sealed.
    private(set) var sets: [ScalarSet] = []

    /// Whether any alternative was met.
    private(set) var hasChoice = false

    init(_ source: String, subject: String) {
        self.source = Array(source.unicodeScalars)
        self.subject = subject
    }

    mutating func compile() throws(Refusal) -> [TextPattern.Instruction] {
        try alternatives()
        guard position == source.count else { throw refusal("an unexpected ')'") }
        return program + [.matched]
    }

    private mutating func alternatives() throws(Refusal) {
        depth += 1
        defer { depth -= 1 }
        guard depth <= 16 else { throw refusal("groups inside groups, more than 16 deep") }
        var jumps: [Int] = []
        while true {
            let start = program.count
            program.append(.tryFirst(otherwise: 0))
            try sequence()
            if peek() == "|" {
                position += 1
                hasChoice = true
                jumps.append(program.count)
                program.append(.jump(0))
                program[start] = .tryFirst(otherwise: program.count)
            } else {
                // The last alternative has no other one to fall back on.
                removeInstruction(at: start)
                for jump in jumps { program[jump] = .jump(program.count) }
                return
            }
        }
    }

    /// Takes out a step that turned out to be needless; only later steps can point past it.
    private mutating func removeInstruction(at index: Int) {
        program.remove(at: index)
        for place in index..<program.count {
            switch program[place] {
            case .tryFirst(let target): program[place] = .tryFirst(otherwise: target - 1)
            case .jump(let target): program[place] = .jump(target - 1)
            case .look(let end, let wanted): program[place] = .look(end: end - 1, wanted: wanted)
            default: break
            }
        }
    }

    private mutating func sequence() throws(Refusal) {
        while let next = peek(), next != "|", next != ")" {
            position += 1
            switch next {
            case "(": try parenthesis()
            case "^": program.append(.lineStart)
            case "$": program.append(.lineEnd)
            case "*", "+", "?", "{": throw refusal("nothing stands before '\(next)'")
            default:
                sets.append(try set(beginningWith: next))
                try repeated(set: sets.count - 1)
            }
        }
    }

    private mutating func set(beginningWith first: Unicode.Scalar) throws(Refusal) -> ScalarSet {
        var parser = ScalarSetParser(source, from: position, subject: subject)
        let set = try parser.set(beginningWith: first, ignoringCase: ignoresCase)
        position = parser.position
        return set.sealed()
    }

    private mutating func repeated(set: Int) throws(Refusal) {
        guard let (least, most) = try quantifier() else {
            program.append(.take(set: set))
            return
        }
        var givesBack = true
        if peek() == "+" {
            position += 1
            givesBack = false
        } else if peek() == "?" {
            throw refusal("a lazy repetition")
        }
        program.append(.takeMany(set: set, least: least, most: most, givesBack: givesBack))
    }

    private mutating func quantifier() throws(Refusal) -> (Int, Int)? {
        switch peek() {
        case "?": position += 1; return (0, 1)
        case "*": position += 1; return (0, .max)
        case "+": position += 1; return (1, .max)
        case "{":
            guard let close = source[position...].firstIndex(of: "}") else {
                throw refusal("a '{' without '}'")
            }
            let inner = String(String.UnicodeScalarView(source[(position + 1)..<close]))
            let parts = inner.split(separator: ",", omittingEmptySubsequences: false)
            guard parts.count <= 2, let least = Int(parts[0]), (0...1_000).contains(least) else {
                throw refusal("the repetition {\(inner)}")
            }
            var most = least
            if parts.count == 2 {
                let last = parts[1].isEmpty ? Int.max : Int(parts[1])
                guard let last, last >= least else { throw refusal("the repetition {\(inner)}") }
                most = last
            }
            position = close + 1
            return (least, most)
        default: return nil
        }
    }

    private mutating func parenthesis() throws(Refusal) {
        let outerCase = ignoresCase
        defer { ignoresCase = outerCase }
        let start = program.count
        let look = try groupHead()
        // A plain group keeps a step free at its head, which `?` turns into a choice.
        program.append(look.map { .look(end: 0, wanted: $0) } ?? .tryFirst(otherwise: 0))
        try alternatives()
        guard peek() == ")" else { throw refusal("a '(' without ')'") }
        position += 1
        if let look {
            program.append(.matched)
            program[start] = .look(end: program.count, wanted: look)
        } else if let (least, most) = try quantifier() {
            guard least == 0, most == 1, peek() != "?", peek() != "+" else {
                throw refusal("a repeated group")
            }
            hasChoice = true
            program[start] = .tryFirst(otherwise: program.count)
        } else {
            removeInstruction(at: start)
        }
    }

    /// Reads what follows the '('; for a group that looks ahead, whether it wants a match.
    private mutating func groupHead() throws(Refusal) -> Bool? {
        guard peek() == "?" else { return nil }
        let rest = String(String.UnicodeScalarView(source[position...].prefix(3)))
        if rest.hasPrefix("?:") {
            position += 2
            return nil
        }
        if rest == "?i:" {
            ignoresCase = true
            position += 3
            return nil
        }
        guard rest.hasPrefix("?=") || rest.hasPrefix("?!") else {
            throw refusal("a group (\(rest)")
        }
        position += 2
        return rest.hasPrefix("?=")
    }

    private func peek() -> Unicode.Scalar? { position < source.count ? source[position] : nil }

    private func refusal(_ reason: String) -> Refusal {
        Refusal(subject, "Skein cannot run the pattern; at character \(position): \(reason)")
    }
}
