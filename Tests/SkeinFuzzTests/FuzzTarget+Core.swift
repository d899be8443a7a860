import SkeinCore

extension FuzzTarget {
    /// JSON, by the rules for each kind of writer.
    static func readJSON(_ bytes: [UInt8]) throws {
        var firstRefusal: Refusal?
        for rules in [JSONRules.file, .client, .lenient] {
            do {
                try readJSON(bytes, rules: rules)
            } catch let refusal as Refusal {
                firstRefusal = firstRefusal ?? refusal
            }
        }
        if let firstRefusal { throw firstRefusal }
    }

    private static func readJSON(_ bytes: [UInt8], rules: JSONRules) throws {
        let value = try JSONValue(parsing: bytes, subject: "bytes", rules: rules)
        for text in [value.line, value.text] {
            let again = try writtenAgain(text, rules: rules)
            try BrokenPromise.unless(again == value, "\(text) reads as another value")
        }
        let canonical = value.canonical
        try BrokenPromise.unless(
            canonical.canonical == canonical, "\(canonical.line) has another canonical form")
        // Python has words for numbers that JSON has not.
        let python = value.pythonText
        if !python.utf8.contains(UInt8(ascii: "I")) { _ = try writtenAgain(python, rules: rules) }
        _ = value.summary
    }

    private static func writtenAgain(_ text: String, rules: JSONRules) throws -> JSONValue {
        try BrokenPromise.ifRefused("what was written, \(text),") {
            try JSONValue(parsing: Array(text.utf8), subject: "text", rules: rules)
        }
    }

    /// `config.json`, and the figures that are computed from it alone.
    static func readConfig(_ bytes: [UInt8]) throws {
        let configuration = try ModelConfiguration(json: bytes)
        let text = try JSONValue(parsing: bytes, subject: "config.json").text
        try BrokenPromise.unless(
            try ModelConfiguration(json: Array(text.utf8)) == configuration,
            "the same document gives another configuration")
        computeFigures(of: configuration)
    }

    /// An address in each of its forms.
    static func readAddress(_ bytes: [UInt8]) throws {
        let text = String(decoding: bytes, as: UTF8.self)
        if let address = try? TCPAddress(hostAndPort: text) {
            try BrokenPromise.unless(
                try TCPAddress(hostAndPort: address.hostAndPort) == address,
                "\(address.hostAndPort) is another address")
        }
        if let address = try? TCPAddress(host: text) { _ = address.isLoopback }
        let address = try TCPAddress(parsing: text)
        try BrokenPromise.unless(
            try TCPAddress(parsing: address.description) == address,
            "\(address) is another address")
    }
}
