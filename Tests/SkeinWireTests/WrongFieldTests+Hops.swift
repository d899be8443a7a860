// Wrong tensors on their way between stages.

import Testing

@testable import SkeinWire

extension WrongMessage {
    private static func hop(
        _ field: String, _ why: String, _ tensor: RawMessage, bytes: Int = 16
    ) -> WrongMessage {
        hop(field, why, [tensor], bytes: [bytes])
    }

    private static func hop(
        _ field: String, _ why: String, _ tensors: [RawMessage], bytes: [Int]
    ) -> WrongMessage {
        WrongMessage(
            "step.tensor_frames\(field)", why,
            Raw.envelope(32, Raw.step([Raw.span()]), target: 1, tensors: tensors),
            tensorBytes: bytes, reason: .wrongFrames)
    }

    private static let codes = Raw.tensor(4, bytes: 8)
    private static let scales = Raw.tensor(1, [2, 1], bytes: 8)

    static let hops: [WrongMessage] = [
        hop("[0].element_type", "unspecified", Raw.tensor(0)),
        hop("[0].element_type", "unknown", Raw.tensor(77)),
        hop("[0].element_type", "F32 for hidden rows", Raw.tensor(1, [2, 2])),
        hop("[0].dimension_counts", "one dimension", Raw.tensor(2, [8])),
        hop("[0].dimension_counts", "three dimensions", Raw.tensor(2, [2, 2, 2])),
        hop("[0].dimension_counts", "no rows", Raw.tensor(2, [0, 8], bytes: 0), bytes: 0),
        hop(
            "[0].dimension_counts", "a product beyond 64 bits",
            Raw.tensor(2, [4_294_967_295, 4_294_967_295])),
        hop("[0].dimension_counts", "other rows than spans", Raw.tensor(2, [1, 8])),
        hop("[0]", "more bytes described than the shape has", Raw.tensor(bytes: 18)),
        hop("[0]", "fewer bytes came", Raw.tensor(), bytes: 14),
        hop("[0]", "more bytes came", Raw.tensor(), bytes: 18),
        hop("", "rows, scales and more", [codes, scales, scales], bytes: [8, 8, 8]),
        hop("[0].element_type", "FP8 without scales", codes, bytes: 8),
        hop("[0].element_type", "BF16 with scales", [Raw.tensor(), scales], bytes: [16, 8]),
        hop("[0].element_type", "F32 with scales", [scales, scales], bytes: [8, 8]),
        hop(
            "[0].dimension_counts", "FP8 for other rows than spans",
            [Raw.tensor(4, [1, 8], bytes: 8), scales], bytes: [8, 8]),
        hop("[1]", "scales in FP8", [codes, codes], bytes: [8, 8]),
        hop(
            "[1]", "scales of too many tiles", [codes, Raw.tensor(1, [2, 2], bytes: 16)],
            bytes: [8, 16]),
        hop(
            "[1]", "scales of too few rows", [codes, Raw.tensor(1, [1, 1], bytes: 4)],
            bytes: [8, 4]),
        hop("[1]", "fewer bytes of scales came", [codes, scales], bytes: [8, 4]),
        .init(
            "step.tensor_frames", "hidden rows for stage 0",
            Raw.envelope(32, Raw.step([Raw.span()]), target: 0, tensors: [Raw.tensor()]),
            tensorBytes: [16], reason: .wrongFrames),
        .init(
            "alive.tensor_frames", "a tensor with a heartbeat",
            Raw.envelope(21, RawMessage(), tensors: [Raw.tensor()]), tensorBytes: [16],
            reason: .wrongFrames),
    ]
}
