import SkeinCore
import SkeinTensor
import SkeinWeights

/// A step on its way through a slice; belongs to the model that began it.
public final class SliceRun {
    /// The layer of the slice that comes next.
    public internal(set) var nextBlock = 0

    let spans: [SequenceSpan]
    let step: Step
    let captureWanted: Capture
    let room: SliceRoom
    var captured: [CapturedValue] = []

    /// What it waits for, if it does.
    var demand: ExpertDemand?

    /// What the local experts gave for it meanwhile.
    var local: ExpertOutputs?

    init(_ spans: [SequenceSpan], step: Step, capture: Capture, room: SliceRoom) {
        self.spans = spans
        self.step = step
        captureWanted = capture
        self.room = room
    }

    /// Keeps what is wanted of a layer that has ended.
    func capture(_ layer: LayerIndex, _ choice: ExpertChoice?) {
        if captureWanted.contains(.hidden) {
            captured.append(.init(.hidden(layer), rows: room.residual))
        }
        if captureWanted.contains(.router), let choice {
            captured += CapturedValue.route(choice, of: layer)
        }
    }
}

/// The tensors of one step, kept for the steps after it.
final class SliceRoom {
    let scratch: StepScratch

    /// `[row, hidden]`.
    let residual: Tensor

    init(_ scratch: StepScratch, _ model: ModelConfiguration) {
        self.scratch = scratch
        residual = Tensor(.residual, of: model)
    }
}
