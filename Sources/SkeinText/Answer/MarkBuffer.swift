/// Text that waits until it is clear whether a mark begins in it.
///
/// A part may be hidden: the text of control tokens. Marks are looked for in it, but it is left out
/// of whatever text is taken.
struct MarkBuffer: Sendable {
    /// Whether the text begins with a mark, white space before it aside.
    enum Opening {
        case found, absent, undecided
    }

    private var bytes: [UInt8] = []
    private var isHidden: [Bool] = []

    mutating func append(_ text: String, isHidden: Bool = false) {
        bytes += text.utf8
        self.isHidden += repeatElement(isHidden, count: bytes.count - self.isHidden.count)
    }

    /// Takes the text before the first of several marks, and the mark itself if it is there.
    ///
    /// Without a mark, what could be the beginning of one stays. Of two marks at one place the one
    /// given first counts.
    mutating func take(
        before marks: [[UInt8]], isEnd: Bool
    ) -> (text: String, mark: (index: Int, text: String)?) {
        for place in bytes.indices {
            var mayBegin = false
            for (index, mark) in marks.enumerated() where bytes[place] == mark[0] {
                let rest = bytes[place...]
                if rest.starts(with: mark) {
                    let text = takeFirst(place)
                    return (text, (index, takeFirst(mark.count)))
                }
                if rest.count < mark.count, mark.starts(with: rest) { mayBegin = true }
            }
            if mayBegin, !isEnd { return (takeFirst(place), nil) }
        }
        return (takeFirst(bytes.count), nil)
    }

    /// Takes a mark off the front, with the white space before it, if it is there.
    mutating func opening(_ mark: [UInt8], isEnd: Bool) -> Opening {
        let rest = bytes.drop { [0x20, 0x0A, 0x0D, 0x09].contains($0) }
        if rest.starts(with: mark) {
            _ = takeFirst(bytes.count - rest.count + mark.count)
            return .found
        }
        return !isEnd && mark.starts(with: rest) ? .undecided : .absent
    }

    /// Takes bytes off the front; returns those that are not hidden.
    private mutating func takeFirst(_ count: Int) -> String {
        let text = String(
            decoding: zip(bytes, isHidden).prefix(count).filter { !$1 }.map(\.0), as: UTF8.self)
        bytes.removeFirst(count)
        isHidden.removeFirst(count)
        return text
    }
}
