/// Which inner value of the model a captured tensor holds; the layer is where the value arose.
public enum CapturedKind: Hashable, Sendable {
    /// F32 `[row, vocabulary]`.
    case logits
    /// The residual after a layer, as the next layer receives it, F32 `[row, hidden]`.
    case hidden(LayerIndex)
    /// The residual after the final norm, F32 `[row, hidden]`.
    case finalHidden
    /// The chosen experts of a layer, ascending in each row, I32 `[row, slot]`.
    case routerIndexes(LayerIndex)
    /// The weights of their outputs, F32 `[row, slot]`.
    case routerWeights(LayerIndex)

    /// The layer where the value arose, if one.
    public var layer: LayerIndex? {
        switch self {
        case .hidden(let layer), .routerIndexes(let layer), .routerWeights(let layer): layer
        case .logits, .finalHidden: nil
        }
    }
}
