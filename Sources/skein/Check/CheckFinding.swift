/// One thing that `skein check` has looked at.
struct CheckFinding: Encodable, Equatable {
    /// How it stands.
    enum Level: String, Encodable, Comparable {
        case ok, warning, error

        static func < (left: Level, right: Level) -> Bool { left.weight < right.weight }

        private var weight: Int {
            switch self {
            case .ok: 0
            case .warning: 1
            case .error: 2
            }
        }
    }

    /// What was looked at.
    enum Subject: String, Encodable, CaseIterable {
        case cpu, memory, disk, clock, port, checkpoint, keys
    }

    let level: Level
    let subject: Subject
    /// What was found, and, where it is not well, what was expected.
    let message: String

    init(_ level: Level, _ subject: Subject, _ message: String) {
        self.level = level
        self.subject = subject
        self.message = message
    }

    /// The line for people.
    var text: String {
        level.rawValue.padded(to: 9) + subject.rawValue.padded(to: 12) + message
    }
}
