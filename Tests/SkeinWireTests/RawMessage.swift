import SkeinCore

/// Protobuf written by hand, to say what our own packer never would.
struct RawMessage {
    var bytes: [UInt8] = []

    func varint(_ field: Int, _ value: UInt64) -> RawMessage {
        appending(Self.encode(UInt64(field) << 3) + Self.encode(value))
    }

    func message(_ field: Int, _ content: RawMessage) -> RawMessage { block(field, content.bytes) }

    func text(_ field: Int, _ text: String) -> RawMessage { block(field, Array(text.utf8)) }

    func block(_ field: Int, _ content: [UInt8]) -> RawMessage {
        appending(
            Self.encode(UInt64(field) << 3 | 2) + Self.encode(UInt64(content.count)) + content)
    }

    func packed(_ field: Int, _ values: [UInt64]) -> RawMessage {
        block(field, values.flatMap(Self.encode))
    }

    func float(_ field: Int, _ value: Float) -> RawMessage {
        appending(Self.encode(UInt64(field) << 3 | 5) + Self.encode(value))
    }

    func floats(_ field: Int, _ values: [Float]) -> RawMessage {
        block(field, values.flatMap { Self.encode($0) })
    }

    func double(_ field: Int, _ value: Double) -> RawMessage {
        let bits = value.bitPattern
        return appending(
            Self.encode(UInt64(field) << 3 | 1)
                + (0..<8).map { UInt8(truncatingIfNeeded: bits >> (8 * UInt64($0))) })
    }

    private func appending(_ more: [UInt8]) -> RawMessage { RawMessage(bytes: bytes + more) }

    private static func encode(_ value: UInt64) -> [UInt8] {
        var rest = value
        var bytes: [UInt8] = []
        while rest >= 0x80 {
            bytes.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    private static func encode(_ value: Float) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * UInt32($0))) }
    }
}

/// Messages of `skein.v1` by field number, right unless told otherwise.
enum Raw {
    static let version = RawMessage().varint(1, 1)

    static func envelope(
        _ field: Int, _ body: RawMessage, epoch: UInt64 = 7, target: UInt64? = nil,
        tensors: [RawMessage] = []
    ) -> [UInt8] {
        var envelope = version.varint(2, epoch).text(3, "goose-1")
        if let target { envelope = envelope.varint(4, target) }
        for tensor in tensors { envelope = envelope.message(5, tensor) }
        return envelope.message(field, body).bytes
    }

    static func tensor(
        _ element: UInt64 = 2, _ dimensions: [UInt64] = [2, 4], bytes: UInt64 = 16
    ) -> RawMessage {
        RawMessage().varint(1, element).packed(2, dimensions).varint(3, bytes)
    }

    static func step(_ spans: [RawMessage], phase: UInt64 = 2, capture: UInt64 = 0) -> RawMessage {
        var step = RawMessage().varint(1, 12).varint(2, phase)
        for span in spans { step = step.message(3, span) }
        return step.varint(4, capture)
    }

    static func pages(_ firsts: [UInt64] = [0], _ counts: [UInt64] = [1]) -> RawMessage {
        RawMessage().packed(1, firsts).packed(2, counts)
    }

    static func span(
        first: UInt64 = 0, tokens: [UInt64] = [1, 2], pages: RawMessage? = Raw.pages(),
        demand: RawMessage? = nil, targets: [UInt64] = [], copy: RawMessage? = nil
    ) -> RawMessage {
        var span = RawMessage().varint(1, 4).varint(2, first).packed(3, tokens)
        if let pages { span = span.message(4, pages) }
        if let demand { span = span.message(5, demand) }
        if let copy { span = span.message(7, copy) }
        return span.packed(6, targets)
    }

    static func copy(_ source: UInt64, _ target: UInt64, _ rows: UInt64) -> RawMessage {
        RawMessage().varint(1, source).varint(2, target).varint(3, rows)
    }

    static func parameters(_ more: RawMessage = RawMessage()) -> RawMessage {
        let usual = RawMessage().float(1, 1).float(3, 1).float(7, 1)
        return RawMessage(bytes: usual.bytes + more.bytes)
    }

    static func demand(_ more: RawMessage) -> RawMessage {
        RawMessage().message(1, parameters(more))
    }

    static func stage(
        _ index: UInt64, first: UInt64, count: UInt64 = 2, name: String = "goose",
        key: String = "", embedding: UInt64 = 0, head: UInt64 = 0
    ) -> RawMessage {
        RawMessage().varint(1, index).text(2, name).text(3, "tcp://10.0.0.1:1").text(4, key)
            .varint(5, first).varint(6, count).varint(7, embedding).varint(8, head)
    }

    static func placement(
        _ stages: [RawMessage], node: UInt64 = 0, kind: UInt64 = 1, pages: UInt64 = 10,
        rows: UInt64 = 64, flights: UInt64 = 2
    ) -> RawMessage {
        var placement = RawMessage().varint(1, node).varint(2, kind)
        for stage in stages { placement = placement.message(3, stage) }
        return placement.varint(4, pages).varint(5, rows).varint(6, flights).text(7, "sha256:abc")
    }

    static let goodRing = [
        stage(0, first: 0, embedding: 1), stage(1, first: 2, head: 1),
    ]
}
