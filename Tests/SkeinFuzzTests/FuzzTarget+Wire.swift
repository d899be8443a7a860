import SkeinCore
import SkeinWire

extension FuzzTarget {
    /// A message between nodes: the number of tensors, two bytes of length and the bytes of each,
    /// and then the envelope, so that its length is free to change.
    static func readWire(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        var tensors: [Frame] = []
        for _ in 0..<Int(rest.popFirst() ?? 0) % 4 {
            let low = Int(rest.popFirst() ?? 0)
            let length = Int(rest.popFirst() ?? 0) << 8 | low
            tensors.append(Frame(Array(rest.prefix(length))))
            rest = rest.dropFirst(length)
        }
        let envelope = try Envelope(parsing: [Frame(Array(rest))] + tensors, from: "peer")
        let packed = try packedAgain(envelope)
        let again = try BrokenPromise.ifRefused("what was packed") {
            try Envelope(parsing: packed, from: "peer")
        }
        try BrokenPromise.unless(again == envelope, "\(again) was \(envelope)")
        try BrokenPromise.unless(
            try packedAgain(again) == packed, "\(envelope.body.kind) is packed in two ways")
    }

    private static func packedAgain(_ envelope: Envelope) throws -> [Frame] {
        do {
            return try envelope.packed()
        } catch {
            throw BrokenPromise(description: "what was read is not packed: \(error)")
        }
    }

    /// The bytes that ``readWire`` takes for a message.
    static func wireBytes(_ frames: [Frame]) -> [UInt8] {
        var bytes = [UInt8(frames.count - 1)]
        for frame in frames.dropFirst() {
            bytes += [UInt8(frame.byteCount & 0xFF), UInt8(frame.byteCount >> 8)] + frame.bytes
        }
        return bytes + frames[0].bytes
    }
}
