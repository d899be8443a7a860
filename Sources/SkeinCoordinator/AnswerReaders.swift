internal import SkeinCore

/// Who reads what sequences draw: one reader or several each, of whom some have come late.
struct AnswerReaders {
    private var readers: [SequenceID: [Int: TokenStream.Continuation]] = [:]
    private var nextNumber = 0

    /// Adds a reader of a sequence.
    ///
    /// - Parameters:
    ///   - eventsMax: events that it can ever get.
    ///   - onLeft: is called with its number when it has gone away before the end.
    mutating func add(
        to id: SequenceID, eventsMax: Int, onLeft: @escaping @Sendable (Int) -> Void
    ) -> (stream: TokenStream, continuation: TokenStream.Continuation) {
        let number = nextNumber
        nextNumber += 1
        let (stream, continuation) = TokenStream.makeStream(
            bufferingPolicy: .bufferingOldest(eventsMax))
        continuation.onTermination = { ending in
            if case .cancelled = ending { onLeft(number) }
        }
        readers[id, default: [:]][number] = continuation
        return (stream, continuation)
    }

    /// Removes a reader that has gone away.
    ///
    /// - Returns: whether nobody is left who reads the sequence.
    mutating func remove(_ number: Int, from id: SequenceID) -> Bool {
        guard readers[id]?.removeValue(forKey: number) != nil else { return false }
        guard readers[id]?.isEmpty == true else { return false }
        readers[id] = nil
        return true
    }

    /// Gives an event to everyone who reads the sequence.
    func yield(_ event: GenerationEvent, of id: SequenceID) {
        for reader in (readers[id] ?? [:]).values { reader.yield(event) }
    }

    /// Tells everyone that nothing more comes.
    mutating func close(_ id: SequenceID, _ refusal: Refusal?) {
        for reader in (readers.removeValue(forKey: id) ?? [:]).values {
            reader.finish(throwing: refusal)
        }
    }
}
