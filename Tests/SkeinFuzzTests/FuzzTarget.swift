/// Something that reads bytes from outside, and what must hold whatever the bytes are.
///
/// A target may refuse its bytes, by any error but a ``BrokenPromise``. It must not trap, leak or
/// hang, and must not ask for memory or time out of proportion to its bytes. `cluster/fuzz` looks
/// for bytes that break this; ``CorpusTests`` runs those of `Corpora`, found and chosen.
struct FuzzTarget: Sendable {
    /// Names the target for `cluster/fuzz` and the folder of its corpus.
    let name: String

    /// Reads bytes, and holds what was read to its promises.
    let read: @Sendable ([UInt8]) throws -> Void

    /// Every reader of bytes from outside; a new one gets its row and its corpus.
    static let all: [FuzzTarget] = [
        FuzzTarget(name: "address", read: readAddress),
        FuzzTarget(name: "answer", read: readAnswer),
        FuzzTarget(name: "cluster", read: readCluster),
        FuzzTarget(name: "completion", read: readCompletion),
        FuzzTarget(name: "config", read: readConfig),
        FuzzTarget(name: "conversation", read: readConversation),
        FuzzTarget(name: "hashes", read: readHashes),
        FuzzTarget(name: "hosts", read: readHosts),
        FuzzTarget(name: "index", read: readIndex),
        FuzzTarget(name: "journal", read: readJournal),
        FuzzTarget(name: "json", read: readJSON),
        FuzzTarget(name: "keys", read: readKeys),
        FuzzTarget(name: "metrics", read: readMetrics),
        FuzzTarget(name: "pattern", read: readPattern),
        FuzzTarget(name: "ranks", read: readRanks),
        FuzzTarget(name: "safetensors", read: readSafetensors),
        FuzzTarget(name: "schema", read: readSchema),
        FuzzTarget(name: "tokenizer", read: readTokenizer),
        FuzzTarget(name: "wire", read: readWire),
    ]
}

/// A reader that did what it must not do, in one line.
struct BrokenPromise: Error, CustomStringConvertible {
    let description: String

    /// Reads what a target has written, and breaks off where that is refused.
    static func ifRefused<Value>(
        _ what: @autoclosure () -> String = "what was written", _ read: () throws -> Value
    ) throws -> Value {
        do {
            return try read()
        } catch {
            throw BrokenPromise(description: "\(what()) is refused: \(error)")
        }
    }

    /// Breaks off unless something holds.
    static func unless(_ holds: Bool, _ promise: @autoclosure () -> String) throws {
        guard holds else { throw BrokenPromise(description: promise()) }
    }
}
