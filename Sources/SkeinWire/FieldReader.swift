import SkeinCore

/// Takes fields out of an unpacked message, refusing what is out of range.
///
/// Names of fields are only built for an error line.
struct FieldReader {
    let peer: String
    let kind: String
    private var list: StaticString = ""
    private var place = 0

    init(peer: String, kind: String) {
        self.peer = peer
        self.kind = kind
    }

    /// The same for one element of a list of the message.
    func at(_ list: StaticString, _ place: Int) -> FieldReader {
        var inner = self
        inner.list = list
        inner.place = place
        return inner
    }

    func error(
        _ field: String, _ detail: String, reason: WireError.Reason = .wrongField
    ) -> WireError {
        var path = kind
        if list.utf8CodeUnitCount > 0 { path += ".\(list)[\(place)]" }
        if !field.isEmpty { path += ".\(field)" }
        return WireError(reason: reason, peer: peer, field: path, detail: detail)
    }

    /// A number that must lie in a range.
    func number(
        _ value: some BinaryInteger, in range: ClosedRange<Int>,
        _ field: @autoclosure () -> String
    ) throws(WireError) -> Int {
        guard let number = Int(exactly: value), range.contains(number) else {
            throw error(
                field(), "\(value), expected \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// A number that must be finite and lie in a range.
    func finite(
        _ value: Float, in range: ClosedRange<Float>, _ field: @autoclosure () -> String
    ) throws(WireError) -> Float {
        guard value.isFinite, range.contains(value) else {
            throw error(
                field(),
                "\(value), expected a finite number from \(range.lowerBound) to "
                    + "\(range.upperBound)")
        }
        return value
    }

    /// A natural log-probability: at most 0 but for rounding, and `-inf` for probability 0.
    func logprob(
        _ value: Float, _ field: @autoclosure () -> String
    ) throws(WireError) -> Float {
        guard value <= 1e-3 else {  // false for a NaN too
            throw error(field(), "\(value), expected a natural log-probability")
        }
        return value
    }

    /// Text of at most `bytesMax` bytes without control characters.
    func text(
        _ start: UnsafeMutablePointer<CChar>?, bytesMax: Int, mayBeEmpty: Bool = false,
        _ field: @autoclosure () -> String
    ) throws(WireError) -> String {
        guard let start else { throw error(field(), "missing") }
        var byteCount = 0
        while start[byteCount] != 0 {
            byteCount += 1
            if byteCount > bytesMax {
                throw error(field(), "longer than \(bytesMax) bytes")
            }
        }
        let characters = UnsafeBufferPointer(start: start, count: byteCount)
        let bytes = characters.map { UInt8(bitPattern: $0) }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw error(field(), "no valid UTF-8")
        }
        guard !bytes.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
            throw error(field(), "holds control characters")
        }
        guard mayBeEmpty || !bytes.isEmpty else { throw error(field(), "missing") }
        return text
    }

    /// A list, after its length was found to be in range.
    func list<Element>(
        _ start: UnsafeMutablePointer<Element>?, _ count: Int, in range: ClosedRange<Int>,
        _ field: @autoclosure () -> String
    ) throws(WireError) -> UnsafeBufferPointer<Element> {
        guard range.contains(count) else {
            throw error(
                field(),
                "\(count) elements, expected \(range.lowerBound) to \(range.upperBound)")
        }
        return UnsafeBufferPointer(start: start, count: count)
    }

    /// Tokens of any vocabulary within the limit.
    func tokens(
        _ start: UnsafeMutablePointer<UInt32>?, _ count: Int, in range: ClosedRange<Int>,
        _ field: @autoclosure () -> String
    ) throws(WireError) -> [TokenID] {
        var tokens: [TokenID] = []
        let numbers = try list(start, count, in: range, field())
        tokens.reserveCapacity(numbers.count)
        for number in numbers { tokens.append(try token(number, field())) }
        return tokens
    }

    /// One token.
    func token(_ number: UInt32, _ field: @autoclosure () -> String) throws(WireError) -> TokenID {
        TokenID(try self.number(number, in: 0...(Limits.vocabularyMax - 1), field()))
    }

    /// A stage of any ring within the limit.
    func stage(
        _ number: UInt32, _ field: @autoclosure () -> String
    ) throws(WireError) -> StageIndex {
        StageIndex(try self.number(number, in: 0...(Limits.stagesMax - 1), field()))
    }

    /// Times of the stages of a ring.
    func times(
        _ start: UnsafeMutablePointer<UInt32>?, _ count: Int, _ field: @autoclosure () -> String
    ) throws(WireError) -> [Duration] {
        try list(start, count, in: 0...Limits.stagesMax, field()).map { .microseconds($0) }
    }

    /// A message inside a message, which protobuf allows to be left out.
    func part<Message>(
        _ pointer: UnsafeMutablePointer<Message>?, _ field: @autoclosure () -> String
    ) throws(WireError) -> Message {
        guard let pointer else { throw error(field(), "missing") }
        return pointer.pointee
    }
}
