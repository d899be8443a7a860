import SkeinCore
import SkeinTensor
import SkeinWeights

/// Tensors that the layers of a slice use one after the other, each described by a `StepTensor`.
///
/// They keep their memory, so a step that has run once at its largest size allocates nothing more.
final class StepScratch {
    /// What is taken in parts.
    let limits: PartLimits

    let partNormed: Tensor
    let partBranch: Tensor
    let normed: Tensor
    let branch: Tensor
    let queryLatent: Tensor
    let queries: Tensor
    let latentRows: Tensor
    let absorbed: Tensor
    let mixedLatents: Tensor
    let mixedValues: Tensor
    let indexQueries: Tensor
    let indexWeights: Tensor
    let indexKeys: Tensor
    let scores: Tensor
    let expertOutputs: Tensor
    let rounded: Tensor

    /// What the rows of each part of a step attend to that do not attend to all: kept until the
    /// next layer that chooses, for those that share its choice.
    private var selections: [PositionSelection?] = [nil]

    /// The part of the step that attention is at, as large steps are taken.
    var part = 0 {
        didSet {
            if part >= selections.count {
                selections += Array(repeating: nil, count: part + 1 - selections.count)
            }
        }
    }

    /// What the rows of this part attend to that do not attend to all.
    var selection: PositionSelection? {
        get { selections[part] }
        set { selections[part] = newValue }
    }

    /// Makes empty tensors.
    ///
    /// - Parameter other: of a step that waits while this one is begun. What a step leaves for
    ///   later is then its own; what does not outlive a moment is shared.
    init(_ model: ModelConfiguration, limits: PartLimits? = nil, beside other: StepScratch? = nil) {
        func tensor(_ kind: StepTensor) -> Tensor { Tensor(kind, of: model) }
        self.limits = limits ?? other?.limits ?? PartLimits(model)
        normed = tensor(.normed)
        branch = tensor(.branch)
        rounded = tensor(.rounded)
        partNormed = other?.partNormed ?? tensor(.partNormed)
        partBranch = other?.partBranch ?? tensor(.partBranch)
        queryLatent = other?.queryLatent ?? tensor(.queryLatent)
        queries = other?.queries ?? tensor(.queries)
        latentRows = other?.latentRows ?? tensor(.latentRows)
        absorbed = other?.absorbed ?? tensor(.absorbed)
        mixedLatents = other?.mixedLatents ?? tensor(.mixedLatents)
        mixedValues = other?.mixedValues ?? tensor(.mixedValues)
        indexQueries = other?.indexQueries ?? tensor(.indexQueries)
        indexWeights = other?.indexWeights ?? tensor(.indexWeights)
        indexKeys = other?.indexKeys ?? tensor(.indexKeys)
        scores = other?.scores ?? tensor(.scores)
        expertOutputs = other?.expertOutputs ?? tensor(.expertOutputs)
    }
}
