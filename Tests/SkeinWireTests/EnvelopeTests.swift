import SkeinCore
import Testing

@testable import SkeinWire

@Suite struct EnvelopeTests {
    private func refusal(
        _ frames: [Frame], _ comment: Comment? = nil, location: SourceLocation = #_sourceLocation
    ) -> WireError? {
        #expect(throws: WireError.self, comment, sourceLocation: location) {
            try Envelope(parsing: frames, from: "tcp://10.0.0.9")
        }
    }

    @Test(arguments: Samples.all)
    func everyMessageComesBackAsItWas(envelope: Envelope) throws {
        let frames = try envelope.packed()
        #expect(try Envelope(parsing: frames, from: "test") == envelope)
        #expect(try Envelope(parsing: frames, from: "test").packed() == frames)
    }

    @Test func theSamplesHoldEveryKind() {
        #expect(Set(Samples.all.map(\.body.kind)).count == 17)
    }

    @Test(arguments: Samples.all)
    func aTornEnvelopeIsNeverTakenForTheWholeOne(envelope: Envelope) throws {
        let frames = try envelope.packed()
        for count in 0..<frames[0].byteCount {
            let torn = [Frame(Array(frames[0].bytes.prefix(count)))] + frames.dropFirst()
            // A cut between two fields can leave a smaller message in good order: never the same.
            do throws(WireError) {
                let parsed = try Envelope(parsing: torn, from: "test")
                #expect(parsed != envelope)
            } catch {
                #expect(error.peer == "test")
            }
        }
    }

    private static func framesOfVersion(_ version: UInt8, _ envelope: Envelope) throws -> [Frame] {
        var frames = try envelope.packed()
        var bytes = frames[0].bytes
        #expect(bytes.prefix(2) == [0x08, 0x02])
        bytes[1] = version
        frames[0] = Frame(bytes)
        return frames
    }

    @Test(arguments: Samples.all, [1, 3])
    func aVersionThatIsOneStepAwayIsRead(envelope: Envelope, version: UInt8) throws {
        let frames = try Self.framesOfVersion(version, envelope)
        #expect(try Envelope(parsing: frames, from: "test") == envelope)
    }

    /// Only who comes, and who is turned away, is understood across all versions.
    @Test(arguments: Samples.all)
    func aVersionThatIsFurtherAwayIsRefused(envelope: Envelope) throws {
        let frames = try Self.framesOfVersion(4, envelope)
        switch envelope.body {
        case .hello, .refused: #expect(try Envelope(parsing: frames, from: "test") == envelope)
        default:
            let error = refusal(frames)
            #expect(error?.reason == .unknownVersion)
            #expect(error?.detail == "4, this node speaks 2")
        }
        #expect(refusal(try Self.framesOfVersion(0, envelope))?.reason == .unknownVersion)
    }

    @Test func theNewestVersionIsTheLastOfTheTable() {
        #expect(WireVersion.newest == 2 && WireVersion.current == WireVersion.newest)
        #expect(WireVersion.additions.count == 2)
    }

    @Test(arguments: Samples.all)
    func aMessageWithTooManyOrTooFewFramesIsRefused(envelope: Envelope) throws {
        let frames = try envelope.packed()
        #expect(refusal(frames + [Frame([1, 2])])?.reason == .wrongFrames)
        if frames.count > 1 { #expect(refusal(frames.dropLast())?.reason == .wrongFrames) }
        let flood = frames + [Frame](repeating: Frame([]), count: Limits.framesMax)
        #expect(refusal(flood)?.reason == .tooLong)
    }

    @Test(arguments: Samples.all)
    func anEnvelopeOverTheLimitIsRefusedUnread(envelope: Envelope) throws {
        var frames = try envelope.packed()
        let padding = [UInt8](repeating: 0, count: Limits.envelopeBytesMax)
        frames[0] = Frame(frames[0].bytes + padding)
        #expect(refusal(frames)?.reason == .tooLong)
    }

    @Test(arguments: Samples.all.filter { !$0.isPlain })
    func aTensorOfAnotherSizeOrTypeIsRefused(envelope: Envelope) throws {
        let frames = try envelope.packed()
        var longer = frames
        longer[1] = Frame(frames[1].bytes + [0])
        #expect(refusal(longer)?.reason == .wrongFrames)
        var shorter = frames
        shorter[1] = Frame(Array(frames[1].bytes.dropLast()))
        #expect(refusal(shorter)?.reason == .wrongFrames)
        var other = envelope
        other.body = envelope.body.withOtherElement
        #expect(refusal(try other.packed())?.reason == .wrongFrames)
    }

    @Test func nothingAndNonsenseAreRefused() {
        #expect(refusal([])?.reason == .empty)
        #expect(refusal([Frame([])])?.reason == .empty)
        #expect(refusal([Frame([0xFF, 0xFF, 0xFF])])?.reason == .torn)
        #expect(refusal([Frame(Array("GET / HTTP/1.1\r\n\r\n".utf8))])?.reason == .torn)
        #expect(refusal([Frame([UInt8](repeating: 0, count: 64))])?.reason == .torn)
    }

    @Test func aMissingAndAnUnknownKindAreRefusedByName() {
        let none = refusal([Frame(Raw.version.varint(2, 7).text(3, "goose-1").bytes)])
        #expect(none?.reason == .unknownKind)
        #expect(none?.detail == "the message has no kind")
        let later = refusal([Frame(Raw.envelope(40, RawMessage().varint(1, 1)))])
        #expect(later?.reason == .unknownKind)
        #expect(later?.detail == "kind 40 is not known here")
    }

    @Test func aMissingVersionIsRefused() {
        let error = refusal([Frame(RawMessage().text(3, "goose-1").message(23, RawMessage()).bytes)]
        )
        #expect(error?.reason == .unknownVersion)
    }

    @Test func fieldsOfALaterMinorVersionAreSkipped() throws {
        let shutdown = RawMessage(bytes: Raw.envelope(23, RawMessage().varint(9, 1)))
        let envelope = try Envelope(
            parsing: [Frame(shutdown.text(60, "later").bytes)], from: "test")
        #expect(envelope.body == .shutdown)
    }

    @Test(arguments: [
        "placement", "loading", "ready", "release", "trace_request", "trace_answer", "step",
        "token_return", "captured", "dispatch", "combine",
    ])
    func aKindThatBelongsToAPlacementNeedsAnEpoch(kind: String) throws {
        let sample = Samples.ofKind(kind)
        var frames = try sample.packed()
        #expect(Array(frames[0].bytes[2..<4]) == [0x10, 7])
        frames[0] = Frame(Array(frames[0].bytes[..<2]) + Array(frames[0].bytes[4...]))
        let error = refusal(frames)
        #expect(error?.reason == .epochMissing)
        #expect(error?.field == "\(kind).epoch")
    }

    @Test func anEpochIsToldOldCurrentAndEarly() {
        let envelope = Samples.ofKind("alive")
        #expect(envelope.standing(in: Epoch(rawValue: 8)) == .old)
        #expect(envelope.standing(in: Epoch(rawValue: 7)) == .current)
        #expect(envelope.standing(in: Epoch(rawValue: 6)) == .early)
    }

    @Test func littleBytesCannotMakeUsAllocateMuch() {
        // Two bytes a field that nobody knows, and some fifty bytes of memory for each of them.
        let field = RawMessage().varint(6, 0).bytes
        let bytes = Raw.version.bytes + (0..<(4 << 20)).flatMap { _ in field }
        #expect(refusal([Frame(bytes)])?.reason == .torn)
    }

    @Test func aNameThatIsTooLongIsNotEvenSent() {
        var hello = Samples.hello
        hello.nodeName = String(repeating: "g", count: Limits.nameBytesMax + 1)
        let envelope = Envelope(epoch: .none, sender: "goose-1", body: .hello(hello))
        let error = #expect(throws: WireError.self) { try envelope.packed() }
        #expect(error?.field == "hello.node_name")
    }

    @Test func aReasonThatIsTooLongIsCutToAWholeCharacter() throws {
        let reason = String(repeating: "ä\n", count: Limits.reasonBytesMax)
        let frames = try Samples.envelope(.leave(reason: reason)).packed()
        let body = try Envelope(parsing: frames, from: "test").body
        guard case .leave(let cut) = body else { return #expect(Bool(false), "\(body)") }
        #expect(cut.utf8.count <= Limits.reasonBytesMax && cut.utf8.count > 1_000)
        #expect(cut.hasPrefix("ä ä ") && cut.hasSuffix("…"))
    }

    @Test func anErrorNamesPeerKindAndField() {
        let bytes = Raw.envelope(32, Raw.step([Raw.span(first: 1 << 31)]), target: 0)
        #expect(
            refusal([Frame(bytes)])?.description
                == "message from tcp://10.0.0.9: step.spans[0].first_position_index: 2147483648, "
                + "expected 0 to 1048575")
    }
}

extension Envelope {
    /// Whether the message is an envelope alone.
    fileprivate var isPlain: Bool {
        switch body {
        case .step(let step): step.hidden == nil
        case .captured, .dispatch: false
        case .combine(let combine): if case .outputs = combine.outcome { false } else { true }
        default: true
        }
    }
}

extension Envelope.Body {
    /// The same message with its first tensor of another type, and described so.
    fileprivate var withOtherElement: Envelope.Body {
        switch self {
        case .step(var step):
            step.hidden = Samples.tensor(.f32, rows: 4, columns: 8)
            return .step(step)
        case .captured(var captured):
            captured.values[0].tensor = Samples.tensor(.bf16, columns: 4)
            return .captured(captured)
        case .dispatch(var dispatch):
            dispatch.rows = Samples.tensor(.i32, columns: 200)
            return .dispatch(dispatch)
        case .combine(var combine):
            combine.outcome = .outputs(Samples.tensor(.f32, rows: 5, columns: 200))
            return .combine(combine)
        default: return self
        }
    }
}
