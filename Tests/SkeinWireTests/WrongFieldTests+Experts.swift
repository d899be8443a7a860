// Wrong messages between stages and expert hosts.

import Testing

@testable import SkeinWire

extension WrongMessage {
    /// Two rows of four numbers, the second with two experts, right unless told otherwise.
    private static func dispatch(
        _ field: String, _ why: String, stage: UInt64 = 1, layer: UInt64 = 3,
        counts: [UInt64] = [1, 2], experts: [UInt64] = [0, 1, 2],
        tensors: [RawMessage] = [Raw.tensor()], tensorBytes: [Int] = [16],
        reason: WireError.Reason = .wrongField
    ) -> WrongMessage {
        WrongMessage(
            "dispatch.\(field)", why,
            Raw.envelope(
                35,
                RawMessage().varint(1, 5).varint(2, stage).varint(3, layer).packed(4, counts)
                    .packed(5, experts), tensors: tensors), tensorBytes: tensorBytes,
            reason: reason)
    }

    private static func combine(
        _ field: String, _ why: String, layer: UInt64 = 3, reasonText: String = "",
        target: UInt64? = 0, tensors: [RawMessage] = [Raw.tensor()], tensorBytes: [Int] = [16],
        reason: WireError.Reason = .wrongField
    ) -> WrongMessage {
        WrongMessage(
            "combine.\(field)", why,
            Raw.envelope(
                36, RawMessage().varint(1, 5).varint(2, layer).text(3, reasonText),
                target: target, tensors: tensors), tensorBytes: tensorBytes, reason: reason)
    }

    private static func host(_ field: String, _ why: String, _ host: RawMessage) -> WrongMessage {
        let placement = Raw.placement(Raw.goodRing).message(8, host)
        return WrongMessage(
            "placement.expert_hosts[0]\(field)", why, Raw.envelope(18, placement))
    }

    private static func part(
        _ firstLayer: UInt64, _ layers: UInt64, _ firstExpert: UInt64, _ experts: UInt64
    ) -> RawMessage {
        RawMessage().varint(1, firstLayer).varint(2, layers).varint(3, firstExpert)
            .varint(4, experts)
    }

    private static let named = RawMessage().text(1, "gander")

    private static func times(_ field: String, _ why: String, _ times: RawMessage) -> WrongMessage {
        WrongMessage(
            "alive.expert_times.\(field)", why, Raw.envelope(21, RawMessage().message(20, times)))
    }

    static let experts: [WrongMessage] = [
        dispatch("stage_index", "past the last stage", stage: 256),
        dispatch("layer_index", "past the last layer", layer: 1_024),
        dispatch("choice_counts", "no rows", counts: [], experts: []),
        dispatch(
            "choice_counts", "more rows than a micro-batch has",
            counts: [UInt64](repeating: 1, count: 4_097)),
        dispatch("choice_counts[1]", "a row without experts", counts: [1, 0]),
        dispatch("choice_counts[0]", "more experts than a row has", counts: [65, 1]),
        dispatch("expert_indexes", "fewer than counted", experts: [0, 1]),
        dispatch("expert_indexes", "more than counted", experts: [0, 1, 2, 3]),
        dispatch("expert_indexes[2]", "past the last expert", experts: [0, 1, 4_096]),
        dispatch(
            "tensor_frames", "no rows", tensors: [], tensorBytes: [], reason: .wrongFrames),
        dispatch(
            "tensor_frames", "too many tensors",
            tensors: [Raw.tensor(), Raw.tensor(), Raw.tensor()], tensorBytes: [16, 16, 16],
            reason: .wrongFrames),
        dispatch(
            "tensor_frames[0].element_type", "FP8 without scales",
            tensors: [Raw.tensor(4, bytes: 8)], tensorBytes: [8], reason: .wrongFrames),
        dispatch(
            "tensor_frames[0].element_type", "BF16 with scales",
            tensors: [Raw.tensor(), Raw.tensor(1, [2, 1], bytes: 8)], tensorBytes: [16, 8],
            reason: .wrongFrames),
        dispatch(
            "tensor_frames[0].dimension_counts", "another number of rows",
            tensors: [Raw.tensor(2, [1, 4], bytes: 8)], tensorBytes: [8], reason: .wrongFrames),
        dispatch(
            "tensor_frames[1]", "scales of too many tiles",
            tensors: [Raw.tensor(4, bytes: 8), Raw.tensor(1, [2, 2], bytes: 16)],
            tensorBytes: [8, 16], reason: .wrongFrames),
        combine("layer_index", "past the last layer", layer: 1_024),
        combine("target_stage_index", "missing", target: nil),
        combine(
            "tensor_frames", "neither outputs nor a reason", tensors: [], tensorBytes: [],
            reason: .wrongFrames),
        combine(
            "tensor_frames", "outputs and a reason", reasonText: "no", reason: .wrongFrames),
        combine(
            "tensor_frames[0].element_type", "F32", tensors: [Raw.tensor(1, bytes: 32)],
            tensorBytes: [32], reason: .wrongFrames),
        combine(
            "refusal_reason", "longer than a reason",
            reasonText: String(repeating: "r", count: 3_201)),
        host(".node_name", "no name", RawMessage().message(4, part(0, 1, 0, 1))),
        host(".public_key", "a torn key", named.text(3, "k").message(4, part(0, 1, 0, 1))),
        host(".parts", "no experts", named),
        host(".parts[0].layer_count", "no layers", named.message(4, part(0, 0, 0, 1))),
        host(".parts[0].layer_count", "too many", named.message(4, part(1_023, 2, 0, 1))),
        host(".parts[0].expert_count", "none", named.message(4, part(0, 1, 0, 0))),
        host(".parts[0].expert_count", "too many", named.message(4, part(0, 1, 4_095, 2))),
        WrongMessage(
            "placement.steps_at_once_count", "too many",
            Raw.envelope(18, Raw.placement(Raw.goodRing).varint(9, 9))),
        times("expert_host_index", "past the last host", RawMessage().varint(1, 128)),
        times(
            "expert_indexes[1]", "not ascending",
            RawMessage().packed(7, [3, 3]).packed(8, [1, 1])),
        times(
            "expert_indexes[0]", "past the last expert",
            RawMessage().packed(7, [4_096]).packed(8, [1])),
        times(
            "expert_row_counts", "columns of two lengths",
            RawMessage().packed(7, [3, 4]).packed(8, [1])),
    ]
}
