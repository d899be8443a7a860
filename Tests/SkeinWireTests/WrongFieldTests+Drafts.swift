// Messages whose drafts are wrong.
extension WrongMessage {
    private static func step(_ span: RawMessage) -> [UInt8] {
        Raw.envelope(32, Raw.step([span]), target: 0)
    }

    private static var asking: RawMessage { Raw.span(demand: Raw.demand(RawMessage())) }

    /// Drafts that are nobody's, and more than there may be.
    static let drafts: [WrongMessage] = [
        .init("step.spans[0].draft_count", "too many", step(asking.varint(9, 5))),
        .init("step.spans[0].draft_count", "without a demand", step(Raw.span().varint(9, 1))),
        .init("step.spans[0].draft_count", "nothing but drafts", step(asking.varint(9, 2))),
        .init(
            "step.spans[0].draft_count", "of scored tokens",
            step(
                Raw.span(demand: Raw.demand(RawMessage()), targets: [1, 2]).varint(9, 1))),
        .init(
            "step.spans[0].draft_count", "of constrained tokens",
            step(
                Raw.span(
                    demand: Raw.demand(RawMessage()).message(
                        4, RawMessage().varint(1, 10).packed(3, [1]))
                ).varint(9, 1))),
        .init("step.spans[0].drafts_wanted_count", "too many", step(asking.varint(10, 5))),
        .init("step.spans[0].draft_count", "wanted alone", step(Raw.span().varint(10, 1))),
        .init("step.spans[0].following_token_id", "huge", step(Raw.span().varint(11, 1 << 20))),
        .init("step.spans[0].draft_count", "known and asked for", step(asking.varint(11, 1))),
        .init(
            "token_return.draft_counts[0]", "too many",
            Raw.envelope(33, RawMessage().packed(8, [5]).packed(9, [1, 1, 1, 1, 1]))),
        .init(
            "token_return.draft_token_ids", "fewer than counted",
            Raw.envelope(33, RawMessage().packed(8, [2]).packed(9, [1]))),
        .init(
            "token_return.draft_token_ids", "no vocabulary",
            Raw.envelope(33, RawMessage().packed(8, [1]).packed(9, [1 << 20]))),
    ]
}
