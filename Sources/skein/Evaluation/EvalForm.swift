import SkeinCore
import SkeinReference
import SkeinWeights

/// A column of an evaluation: in which form the model is run.
enum EvalForm: String, CaseIterable, Sendable {
    /// The reference: all in float32.
    case float32 = "f32"
    /// The reference with weights rounded to BF16.
    case bfloat16 = "bf16"
    /// The reference with attention to all positions, of a model with an indexer.
    case dense
    /// The program, with weights as they are stored.
    case stored
    /// The program with INT8 weights.
    case int8
    /// The program with FP8 latents.
    case float8Latents = "fp8-latents"
    /// The program with FP8 between stages, two at least.
    case float8Hops = "fp8-hops"
    /// The program guessing two tokens ahead.
    case speculation

    /// Those that a model can be run in.
    static func all(of model: ModelConfiguration) -> [EvalForm] {
        allCases.filter { form in
            switch form {
            case .dense: model.indexer != nil
            case .speculation: model.nextTokenLayerCount > 0
            default: true
            }
        }
    }

    /// Reads names with commas between them.
    static func list(_ text: String, of model: ModelConfiguration) throws(Refusal) -> [EvalForm] {
        let known = all(of: model)
        var forms: [EvalForm] = []
        for name in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let form = EvalForm(rawValue: String(name)), known.contains(form) else {
                throw Refusal(
                    "--forms",
                    "found '\(name)', expected of \(known.map(\.rawValue).joined(separator: ", "))")
            }
            if !forms.contains(form) { forms.append(form) }
        }
        return forms
    }

    /// The reference that computes it; `nil` where the program does.
    func reference(_ checkpoint: Checkpoint) -> ReferenceModel? {
        switch self {
        case .float32: ReferenceModel(checkpoint)
        case .bfloat16: ReferenceModel(checkpoint, roundsWeights: true)
        case .dense: ReferenceModel(checkpoint, attention: .dense)
        default: nil
        }
    }

    /// How the program is laid out for it.
    func layout(_ base: LayoutOptions) -> LayoutOptions {
        var layout = base
        layout.speculation = .off
        switch self {
        case .int8: layout.weights = .int8
        case .float8Latents: layout.latents = .fp8
        case .float8Hops:
            layout.hop = .fp8
            layout.stages = max(2, layout.stages)
        case .speculation: layout.speculation = .two
        default: break
        }
        return layout
    }
}
