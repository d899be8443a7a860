import SkeinCore

/// Reads server-sent events (HTML Living Standard, section 9.2) as their bytes come.
///
/// Bytes may be cut anywhere: inside of a line end, a character or a field's name.
struct EventStreamParser {
    /// One event.
    struct Event: Equatable {
        /// The sort of event; empty where the server names none.
        var name = ""
        /// Its lines of `data`, joined by line breaks.
        var content: [UInt8] = []
    }

    private var line: [UInt8] = []
    private var event = Event()
    private var hasContent = false
    private var isAfterCarriageReturn = false
    private var isFirstLine = true

    /// Takes bytes and returns the events that they complete.
    ///
    /// - Throws: where one event is larger than `Limits.streamEventBytesMax`.
    mutating func push(_ bytes: some Sequence<UInt8>) throws(Refusal) -> [Event] {
        var events: [Event] = []
        for byte in bytes {
            let followsCarriageReturn = isAfterCarriageReturn
            isAfterCarriageReturn = byte == 0x0D
            if byte == 0x0A, followsCarriageReturn { continue }
            if byte == 0x0A || byte == 0x0D {
                endLine(&events)
                continue
            }
            guard line.count + event.content.count < Limits.streamEventBytesMax else {
                throw Refusal(
                    "event stream",
                    "an event of more than \(Limits.streamEventBytesMax) bytes")
            }
            line.append(byte)
        }
        return events
    }

    /// The event that the end of the stream cut off behind its content, if there is one.
    ///
    /// The standard drops it; some servers leave out the last empty line, and theirs is whole.
    mutating func finish() -> Event? {
        var events: [Event] = []
        if !line.isEmpty { endLine(&events) }
        endLine(&events)
        return events.last
    }

    private mutating func endLine(_ events: inout [Event]) {
        defer { line.removeAll(keepingCapacity: true) }
        if isFirstLine {
            isFirstLine = false
            if line.starts(with: [0xEF, 0xBB, 0xBF]) { line.removeFirst(3) }
        }
        guard !line.isEmpty else {
            if hasContent { events.append(event) }
            event = Event()
            hasContent = false
            return
        }
        let colon = line.firstIndex(of: UInt8(ascii: ":")) ?? line.endIndex
        var value = line[min(colon + 1, line.endIndex)...]
        if value.first == UInt8(ascii: " ") { value.removeFirst() }
        switch line[..<colon] {
        case ArraySlice("data".utf8):
            if hasContent { event.content.append(0x0A) }
            event.content += value
            hasContent = true
        case ArraySlice("event".utf8): event.name = String(decoding: value, as: UTF8.self)
        // A comment has an empty name; `id` and `retry` mean nothing to a load tester.
        default: break
        }
    }
}
