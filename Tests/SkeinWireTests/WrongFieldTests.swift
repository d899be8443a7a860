import SkeinCore
import Testing

@testable import SkeinWire

/// A foreign message with one thing wrong, and the field that the refusal must name.
struct WrongMessage: CustomTestStringConvertible, Sendable {
    let field: String
    let reason: WireError.Reason
    let frames: [Frame]
    let testDescription: String

    init(
        _ field: String, _ why: String, _ envelope: [UInt8], tensorBytes: [Int] = [],
        reason: WireError.Reason = .wrongField
    ) {
        self.field = field
        self.reason = reason
        testDescription = "\(field): \(why)"
        frames = [Frame(envelope)] + tensorBytes.map { Frame([UInt8](repeating: 0, count: $0)) }
    }
}

@Suite struct WrongFieldTests {
    @Test(
        arguments: steps + copies + WrongMessage.drafts + demands + returns + placements
            + WrongMessage.hops
            + WrongMessage.traces + WrongMessage.experts + others)
    func aWrongFieldIsRefusedByName(wrong: WrongMessage) {
        let error = #expect(throws: WireError.self) {
            try Envelope(parsing: wrong.frames, from: "test")
        }
        #expect(error?.field == wrong.field)
        #expect(error?.reason == wrong.reason)
        #expect(error.map { !$0.description.contains("\n") } == true)
    }

    @Test func theSameMessagesWithNothingWrongAreAccepted() throws {
        let step = Raw.envelope(32, Raw.step([Raw.span()]), target: 0)
        _ = try Envelope(parsing: [Frame(step)], from: "test")
        _ = try Envelope(parsing: [Frame(Self.copy(Raw.copy(9, 0, 7)))], from: "test")
        let hop = Raw.envelope(
            32, Raw.step([Raw.span(demand: Raw.demand(RawMessage()))]), target: 1,
            tensors: [Raw.tensor()])
        let zeros = Frame([UInt8](repeating: 0, count: 16))
        _ = try Envelope(parsing: [Frame(hop), zeros], from: "test")
        let float8Hop = Raw.envelope(
            32, Raw.step([Raw.span()]), target: 1,
            tensors: [Raw.tensor(4, bytes: 8), Raw.tensor(1, [2, 1], bytes: 8)])
        let eight = Frame([UInt8](repeating: 0, count: 8))
        _ = try Envelope(parsing: [Frame(float8Hop), eight, eight], from: "test")
        let placement = Raw.envelope(18, Raw.placement(Raw.goodRing))
        _ = try Envelope(parsing: [Frame(placement)], from: "test")
    }

    // MARK: Steps

    private static func step(_ spans: [RawMessage]) -> [UInt8] {
        Raw.envelope(32, Raw.step(spans), target: 0)
    }

    static let steps: [WrongMessage] = [
        .init("step.phase", "unspecified", Raw.envelope(32, Raw.step([Raw.span()], phase: 0))),
        .init("step.phase", "unknown", Raw.envelope(32, Raw.step([Raw.span()], phase: 9))),
        .init(
            "step.capture_bits", "an unknown bit",
            Raw.envelope(32, Raw.step([Raw.span()], capture: 8))),
        .init("step.spans", "none", step([])),
        .init("step.spans", "too many", step([RawMessage](repeating: Raw.span(), count: 1_025))),
        .init("step.spans[0].token_ids", "none", step([Raw.span(tokens: [])])),
        .init(
            "step.spans[1].token_ids", "more rows than a micro-batch has",
            step([
                Raw.span(tokens: [UInt64](repeating: 1, count: 64)),
                Raw.span(
                    tokens: [UInt64](repeating: 1, count: 4_033), pages: Raw.pages([0], [64])),
            ])),
        .init("step.spans[0].token_ids", "no vocabulary", step([Raw.span(tokens: [1 << 20])])),
        .init(
            "step.spans[0].token_ids", "past the last position",
            step([Raw.span(first: 1_048_575, tokens: [1, 2])])),
        .init(
            "step.spans[0].first_position_index", "past the last position",
            step([Raw.span(first: 1_048_576)])),
        .init("step.spans[0].pages", "missing", step([Raw.span(pages: nil)])),
        .init("step.spans[0].pages", "too few", step([Raw.span(first: 63)])),
        .init(
            "step.spans[0].pages.first_page_indexes", "none",
            step([Raw.span(pages: RawMessage())])),
        .init(
            "step.spans[0].pages.page_counts", "columns of two lengths",
            step([Raw.span(pages: Raw.pages([0, 1], [1]))])),
        .init(
            "step.spans[0].pages.page_counts[0]", "an empty run",
            step([Raw.span(pages: Raw.pages([0], [0]))])),
        .init(
            "step.spans[0].pages.page_counts[0]", "a run longer than any sequence",
            step([Raw.span(pages: Raw.pages([0], [4_000_000_000]))])),
        .init(
            "step.spans[0].pages", "runs that sum to too much",
            step([Raw.span(pages: Raw.pages([0, 0], [16_384, 1]))])),
        .init(
            "step.spans[0].pages.first_page_indexes[0]", "past the last page",
            step([Raw.span(pages: Raw.pages([4_294_967_295], [1]))])),
        .init(
            "step.spans[0].target_token_ids", "fewer than rows", step([Raw.span(targets: [1])])),
        .init(
            "step.spans[0].target_token_ids", "more than rows",
            step([Raw.span(targets: [1, 2, 3])])),
        .init(
            "step.spans[0].request_label", "longer than a name",
            step([Raw.span().text(15, String(repeating: "r", count: 65))])),
        .init(
            "step.spans[0].request_label", "two lines", step([Raw.span().text(15, "req_a\nb")])),
        .init(
            "step.spans[0].target_top_logprobs_count", "without targets",
            step([Raw.span().varint(8, 1)])),
        .init(
            "step.spans[0].target_top_logprobs_count", "too many",
            step([Raw.span(targets: [1, 2]).varint(8, 21)])),
        .init(
            "step.target_stage_index", "missing", Raw.envelope(32, Raw.step([Raw.span()]))),
        .init(
            "step.target_stage_index", "past the last stage",
            Raw.envelope(32, Raw.step([Raw.span()]), target: 256)),
        .init(
            "step.tensor_frames", "hidden rows missing",
            Raw.envelope(32, Raw.step([Raw.span()]), target: 1), reason: .wrongFrames),
    ]

    /// A span whose first token stands at position 7 of page 0.
    private static func copy(_ copy: RawMessage, first: UInt64 = 7) -> [UInt8] {
        step([Raw.span(first: first, copy: copy)])
    }

    static let copies: [WrongMessage] = [
        .init("step.spans[0].page_copy.row_count", "nothing said", copy(RawMessage())),
        .init("step.spans[0].page_copy.row_count", "no rows", copy(Raw.copy(9, 0, 0))),
        .init("step.spans[0].page_copy.row_count", "a whole page", copy(Raw.copy(9, 0, 64))),
        .init(
            "step.spans[0].page_copy.source_page_index", "past the last page",
            copy(Raw.copy(4_294_967_295, 0, 7))),
        .init(
            "step.spans[0].page_copy.target_page_index", "past the last page",
            copy(Raw.copy(9, 2_147_483_647, 7))),
        .init("step.spans[0].page_copy", "fewer rows than are missing", copy(Raw.copy(9, 0, 6))),
        .init("step.spans[0].page_copy", "more rows than are missing", copy(Raw.copy(9, 0, 8))),
        .init("step.spans[0].page_copy", "a page begins", copy(Raw.copy(9, 0, 7), first: 0)),
        .init("step.spans[0].page_copy", "to another page", copy(Raw.copy(9, 1, 7))),
        .init("step.spans[0].page_copy", "to itself", copy(Raw.copy(0, 0, 7))),
    ]

    private static func demand(_ more: RawMessage) -> [UInt8] {
        step([Raw.span(demand: Raw.demand(more))])
    }

    static let demands: [WrongMessage] =
        [
            ("temperature", "NaN", RawMessage().float(1, .nan)),
            ("temperature", "negative", RawMessage().float(1, -0.1)),
            ("top_k_count", "huge", RawMessage().varint(2, 1 << 30)),
            ("top_p", "above 1", RawMessage().float(3, 1.5)),
            ("min_p", "infinite", RawMessage().float(4, .infinity)),
            ("presence_penalty", "NaN", RawMessage().float(5, .nan)),
            ("frequency_penalty", "infinite", RawMessage().float(6, -.infinity)),
            ("repetition_penalty", "0", RawMessage().float(7, 0)),
            ("bias_values", "fewer than tokens", RawMessage().packed(8, [1, 2]).floats(9, [1])),
            ("bias_values", "NaN", RawMessage().packed(8, [1]).floats(9, [.nan])),
            ("bias_token_ids", "twice", RawMessage().packed(8, [1, 1]).floats(9, [1, 2])),
            (
                "bias_token_ids", "too many",
                RawMessage().packed(8, [UInt64](repeating: 1, count: 1_025))
            ),
            ("top_logprobs_count", "too many", RawMessage().varint(11, 21)),
        ].map { name, why, more in
            WrongMessage("step.spans[0].demand.parameters.\(name)", why, demand(more))
        } + [
            .init(
                "step.spans[0].demand.parameters", "missing",
                step([Raw.span(demand: RawMessage())])),
            .init(
                "step.spans[0].demand.prompt_token_ids", "no vocabulary",
                step([
                    Raw.span(
                        demand: RawMessage().message(1, Raw.parameters()).packed(2, [1 << 30]))
                ])),
        ]
        + [
            ("vocabulary_count", "none", RawMessage().packed(3, [1])),
            ("vocabulary_count", "huge", RawMessage().varint(1, 1 << 30).packed(3, [1])),
            ("token_steps", "neither numbers nor bits", RawMessage().varint(1, 10)),
            ("token_steps", "beside bits", RawMessage().varint(1, 8).text(2, "a").packed(3, [1])),
            ("token_steps", "beyond the vocabulary", RawMessage().varint(1, 10).packed(3, [10])),
            ("token_steps", "far beyond it", RawMessage().varint(1, 10).packed(3, [9, 1 << 31])),
            ("token_steps", "twice", RawMessage().varint(1, 10).packed(3, [3, 0])),
            ("token_steps", "too many", RawMessage().varint(1, 2).packed(3, [0, 1, 1])),
            ("token_bits", "too few", RawMessage().varint(1, 17).text(2, "ab")),
            ("token_bits", "a bit beyond", RawMessage().varint(1, 5).text(2, "@")),
        ].map { name, why, more in allowed(name, why, more) }
        + [
            WrongMessage(
                "step.spans[0].demand.allowed", "no token",
                allowedTokens(RawMessage().varint(1, 16).text(2, "\0\0")))
        ]

    private static func allowed(_ name: String, _ why: String, _ more: RawMessage) -> WrongMessage {
        WrongMessage("step.spans[0].demand.allowed.\(name)", why, allowedTokens(more))
    }

    private static func allowedTokens(_ more: RawMessage) -> [UInt8] {
        step([Raw.span(demand: Raw.demand(RawMessage()).message(4, more))])
    }

    // MARK: Returns

    private static func token(_ more: RawMessage) -> [UInt8] {
        Raw.envelope(33, RawMessage().message(2, more))
    }

    private static func captured(
        _ field: String, _ why: String, _ values: [RawMessage], _ tensors: [RawMessage],
        bytes: [Int], reason: WireError.Reason
    ) -> WrongMessage {
        let body = values.reduce(RawMessage().varint(1, 12)) { $0.message(3, $1) }
        return WrongMessage(
            "captured.\(field)", why, Raw.envelope(34, body, tensors: tensors),
            tensorBytes: bytes, reason: reason)
    }

    static let returns: [WrongMessage] = [
        .init(
            "token_return.tokens[0].token_id", "too large", token(RawMessage().varint(3, 1 << 20))),
        .init(
            "token_return.tokens[0].position_index", "huge",
            token(RawMessage().varint(2, 1 << 30))),
        .init("token_return.tokens[0].logprob", "NaN", token(RawMessage().float(4, .nan))),
        .init("token_return.tokens[0].logprob", "positive", token(RawMessage().float(4, 1))),
        .init(
            "token_return.tokens[0].top_logprobs", "fewer than tokens",
            token(RawMessage().packed(5, [1]))),
        .init(
            "token_return.tokens[0].top_token_ids", "too many",
            token(RawMessage().packed(5, [UInt64](repeating: 1, count: 21)))),
        .init(
            "token_return.target_logprobs[1]", "NaN",
            Raw.envelope(33, RawMessage().floats(3, [-1, .nan]))),
        .init(
            "token_return.target_top_counts", "more than rows",
            Raw.envelope(33, RawMessage().floats(3, [-1]).packed(5, [0, 0]))),
        .init(
            "token_return.target_top_counts[0]", "too many",
            Raw.envelope(33, RawMessage().floats(3, [-1]).packed(5, [21]))),
        .init(
            "token_return.target_top_token_ids", "fewer than counted",
            Raw.envelope(33, RawMessage().floats(3, [-1]).packed(5, [2]).packed(6, [1]))),
        .init(
            "token_return.target_top_token_ids", "without counts",
            Raw.envelope(33, RawMessage().floats(3, [-1]).packed(6, [1]))),
        .init(
            "token_return.target_top_logprobs", "fewer than tokens",
            Raw.envelope(33, RawMessage().floats(3, [-1]).packed(5, [1]).packed(6, [1]))),
        .init(
            "token_return.target_top_logprobs", "NaN",
            Raw.envelope(
                33,
                RawMessage().floats(3, [-1]).packed(5, [1]).packed(6, [1]).floats(7, [.nan]))),
        captured("values", "none", [], [], bytes: [], reason: .wrongFrames),
        captured(
            "values", "fewer than tensors", [], [Raw.tensor(1, [2, 2])], bytes: [16],
            reason: .wrongFrames),
        captured(
            "values[0].capture_kind", "unknown", [RawMessage().varint(1, 6)],
            [Raw.tensor(1, [2, 2])], bytes: [16], reason: .wrongField),
        captured(
            "values[0].layer_index", "too large", [RawMessage().varint(1, 2).varint(2, 1_024)],
            [Raw.tensor(1, [2, 2])], bytes: [16], reason: .wrongField),
        captured(
            "values[1]", "twice", [RawMessage().varint(1, 1), RawMessage().varint(1, 1)],
            [Raw.tensor(1, [2, 2]), Raw.tensor(1, [2, 2])], bytes: [16, 16],
            reason: .wrongField),
        captured(
            "tensor_frames[1].dimension_counts", "other rows than the first",
            [RawMessage().varint(1, 1), RawMessage().varint(1, 3)],
            [Raw.tensor(1, [2, 2]), Raw.tensor(1, [4, 1])], bytes: [16, 16],
            reason: .wrongFrames),
    ]

    // MARK: Members

    private static func placement(_ field: String, _ why: String, _ body: RawMessage)
        -> WrongMessage
    {
        WrongMessage("placement.\(field)", why, Raw.envelope(18, body))
    }

    static let placements: [WrongMessage] = [
        placement("placement_kind", "unknown", Raw.placement(Raw.goodRing, kind: 3)),
        placement("node_index", "too large", Raw.placement(Raw.goodRing, node: 128)),
        placement("page_count", "0", Raw.placement(Raw.goodRing, pages: 0)),
        placement("page_row_count", "another page", Raw.placement(Raw.goodRing, rows: 32)),
        placement(
            "micro_batches_in_flight_count", "0", Raw.placement(Raw.goodRing, flights: 0)),
        placement("ring_stages", "none", Raw.placement([])),
        placement(
            "ring_stages[0].stage_index", "out of order",
            Raw.placement([Raw.stage(1, first: 0, embedding: 1, head: 1)])),
        placement(
            "ring_stages[1].first_layer_index", "a gap",
            Raw.placement([
                Raw.stage(0, first: 0, embedding: 1), Raw.stage(1, first: 3, head: 1),
            ])),
        placement(
            "ring_stages[0].layer_count", "no layers",
            Raw.placement([Raw.stage(0, first: 0, count: 0, embedding: 1, head: 1)])),
        placement(
            "ring_stages[0].layer_count", "more layers than any model",
            Raw.placement([Raw.stage(0, first: 0, count: 1_025, embedding: 1, head: 1)])),
        placement(
            "ring_stages[0]", "no embedding", Raw.placement([Raw.stage(0, first: 0, head: 1)])),
        placement(
            "ring_stages[0].public_key", "half a key",
            Raw.placement([Raw.stage(0, first: 0, key: "half", embedding: 1, head: 1)])),
        placement(
            "ring_stages[0].node_name", "missing",
            Raw.placement([Raw.stage(0, first: 0, name: "", embedding: 1, head: 1)])),
    ]

    static let others: [WrongMessage] = [
        .init("hello.node_name", "missing", Raw.envelope(16, RawMessage())),
        .init(
            "hello.node_name", "longer than a name",
            Raw.envelope(16, RawMessage().text(1, String(repeating: "g", count: 257)))),
        .init(
            "hello.node_name", "no UTF-8",
            Raw.envelope(16, RawMessage().block(1, [0x67, 0xC3, 0x28]))),
        .init(
            "hello.node_name", "two lines", Raw.envelope(16, RawMessage().text(1, "a\nb"))),
        .init(
            "hello.inbox_address", "too long",
            Raw.envelope(
                16,
                RawMessage().text(1, "a").text(3, "1").text(4, "f")
                    .text(5, String(repeating: "a", count: 301)))),
        .init(
            "hello.thread_count", "huge",
            Raw.envelope(
                16, RawMessage().text(1, "a").text(3, "1").text(4, "f").varint(9, 1 << 31))),
        .init(
            "shutdown.sender_name", "missing",
            Raw.version.message(23, RawMessage()).bytes),
        .init(
            "loading.done_bytes", "more than the total",
            Raw.envelope(19, RawMessage().varint(1, 2).varint(2, 1))),
        .init(
            "alive.tokens_per_second", "NaN", Raw.envelope(21, RawMessage().double(8, .nan))),
        .init(
            "alive.stage_times[0].stage_index", "too large",
            Raw.envelope(21, RawMessage().message(9, RawMessage().varint(1, 256)))),
        .init(
            "fault.stage_index", "too large", Raw.envelope(24, RawMessage().varint(1, 256))),
        .init(
            "leave.reason", "longer than a reason",
            Raw.envelope(22, RawMessage().text(1, String(repeating: "r", count: 3_201)))),
        .init(
            "release.sequence_ids", "too many",
            Raw.envelope(
                25, RawMessage().packed(1, [UInt64](repeating: 1, count: 524_289)))),
    ]
}
