// Wrong answers about a node's lanes.

@testable import SkeinWire

extension WrongMessage {
    /// An answer of one interval, right unless told otherwise.
    private static func trace(
        _ field: String, _ why: String, first: UInt64 = 1, open: UInt64 = 0,
        laneKinds: [UInt64] = [1], lanes: [UInt64] = [0], kinds: [UInt64] = [2],
        microBatches: [UInt64] = [1], layers: [UInt64] = [0], starts: [UInt64] = [0],
        lengths: [UInt64] = [0]
    ) -> WrongMessage {
        WrongMessage(
            "trace_answer.\(field)", why,
            Raw.envelope(
                27,
                RawMessage().varint(1, first).varint(2, open).packed(3, laneKinds)
                    .packed(4, lanes).packed(5, kinds).packed(6, microBatches).packed(7, layers)
                    .packed(8, starts).packed(9, lengths)))
    }

    static let traces: [WrongMessage] = [
        trace("first_interval_number", "0", first: 0),
        trace("first_interval_number", "beyond all counting", first: 1 << 63),
        trace("open_interval_count", "more than all", open: 2),
        trace("lane_kinds", "a column too short", laneKinds: []),
        trace("lane_kinds[0]", "unspecified", laneKinds: [0]),
        trace("lane_indexes", "a column too long", lanes: [0, 0]),
        trace("lane_indexes[0]", "past the last stage", lanes: [256]),
        trace("lane_indexes[0]", "past the last expert host", laneKinds: [2], lanes: [128]),
        trace("interval_kinds[0]", "unspecified", kinds: [0]),
        trace("interval_kinds[0]", "unknown", kinds: [11]),
        trace("interval_kinds[0]", "beyond a byte", kinds: [258]),
        trace("micro_batch_ids", "a column too short", microBatches: []),
        trace("layer_numbers[0]", "past the last layer", layers: [1_025]),
        trace("start_microseconds[0]", "centuries", starts: [1 << 62]),
        trace("length_microseconds[0]", "centuries", lengths: [1 << 62]),
        trace(
            "interval_kinds", "more than a node keeps",
            kinds: [UInt64](repeating: 2, count: 33_153)),
    ]
}
