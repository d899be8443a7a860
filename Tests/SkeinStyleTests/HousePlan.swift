/// The targets of Package.swift, as its lines `room(…)`, `tests(…)` and `.target(…)` name them.
struct HousePlan {
    /// One target.
    struct Room {
        let name: String
        let line: Int
        /// The number in the comment `// Floor N:` above it; `nil` without one.
        let floor: Int?
        let isTest: Bool
        /// The rooms and outside products that it may import.
        let opens: [String]
    }

    let rooms: [Room]
    /// Every outside product that the package names.
    let products: Set<String>
    private let path: String

    /// Reads a manifest.
    init(_ file: SourceFile) {
        path = file.path
        let aliases = Self.aliases(file)
        products = Set(aliases.values)
        rooms = file.tokens.indices.compactMap { Self.room(file, $0, aliases) }
    }

    /// A finding in the manifest.
    func finding(_ line: Int, _ rule: String) -> Finding {
        Finding(path: path, line: line, rule: rule)
    }

    // MARK: Rooms

    /// What `let name = Target.Dependency.product(name: "Product", …)` binds.
    private static func aliases(_ file: SourceFile) -> [String: String] {
        var aliases: [String: String] = [:]
        for (index, token) in file.tokens.enumerated() where token.text == "let" {
            guard let name = file.token(index + 1), file.token(index + 3)?.text == "Target",
                let product = file.next("product", from: index), product < index + 10,
                let text = file.tokens[product...].first(where: { $0.kind == .text })
            else { continue }
            aliases[name.text] = text.text
        }
        return aliases
    }

    private static func room(
        _ file: SourceFile, _ index: Int, _ aliases: [String: String]
    ) -> Room? {
        let token = file.tokens[index]
        let makers: Set = [
            "room", "tests", "testsThatCompute", "target", "executableTarget", "systemLibrary",
            "testTarget",
        ]
        guard token.kind == .word, makers.contains(token.text),
            file.token(index - 1)?.text != "func", file.token(index + 1)?.text == "("
        else { return nil }
        let inside = file.tokens[(index + 2)..<file.closing(index + 1)]
        // Inside of the manifest's own helpers the name is a variable, not a text.
        let isNamed = inside.first?.kind == .text || inside.dropFirst(2).first?.kind == .text
        guard isNamed, let name = inside.first(where: { $0.kind == .text }) else { return nil }
        let dependencies = inside.drop { $0.text != "[" }
        let isSystem = token.text == "systemLibrary"
        let opens = isSystem ? [] : dependencies.compactMap { opened($0, aliases) }
        return Room(
            name: name.text, line: token.line, floor: floor(file, above: token.line),
            isTest: token.text.hasPrefix("test"), opens: opens)
    }

    private static func opened(_ token: SourceToken, _ aliases: [String: String]) -> String? {
        switch token.kind {
        case .text where !token.text.hasPrefix("-") && !token.text.contains("."): token.text
        case .word: aliases[token.text]
        default: nil
        }
    }

    private static func floor(_ file: SourceFile, above line: Int) -> Int? {
        let headings = file.comments.filter { number, comment in
            number < line && (comment.hasPrefix("Floor ") || comment == "Tests")
        }
        guard let nearest = headings.max(by: { $0.key < $1.key }) else { return nil }
        return nearest.value.split { !$0.isNumber }.first.flatMap { Int($0) }
    }
}
