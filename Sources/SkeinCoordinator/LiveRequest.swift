internal import SkeinCore

/// A request on its way.
struct LiveRequest: Sendable {
    let request: GenerationRequest
    /// Rows that have come back, by kind of captured value.
    var capturedRows: [CapturedKind: Int] = [:]
    /// Set when the schedule has ended the sequence while captured values are still on their way.
    var endedFor: FinishReason?
    /// How far the answer has come, where it is constrained.
    var progress: ConstraintProgress?
    /// Whether its reader was told that it has begun.
    var hasBegun: Bool
    /// What became of tokens that were guessed ahead, where it is known for the whole answer.
    private(set) var drafts: DraftCounts?
    /// Whether part of the answer was drawn in a life that is not counted here.
    private let isResumed: Bool

    init(request: GenerationRequest, progress: ConstraintProgress?, hasBegun: Bool = false) {
        self.request = request
        self.progress = progress
        self.hasBegun = hasBegun
        isResumed = hasBegun
    }

    /// Takes in what became of tokens that were guessed ahead.
    mutating func note(_ counts: DraftCounts) {
        if !isResumed { drafts = counts }
    }

    /// Why the request has ended, once everything is there; an answer that became whole with its
    /// last token was not cut.
    func finalReason(_ configuration: ModelConfiguration) -> FinishReason? {
        guard let endedFor else { return nil }
        if endedFor == .cancelled { return endedFor }
        guard progress?.isBeingWorkedOut != true, hasAllCaptures(configuration) else { return nil }
        return progress?.isComplete == true ? .stop : endedFor
    }

    /// Whether every captured row that the request asked for has arrived.
    func hasAllCaptures(_ configuration: ModelConfiguration) -> Bool {
        let kinds = request.capture.kinds(of: configuration)
        return kinds.allSatisfy { capturedRows[$0, default: 0] >= request.promptTokens.count }
    }
}

extension Capture {
    /// Every kind of tensor that the stages will send for this wish.
    func kinds(of configuration: ModelConfiguration) -> [CapturedKind] {
        var kinds: [CapturedKind] = []
        if contains(.logits) { kinds.append(.logits) }
        if contains(.hidden) {
            kinds += (0..<configuration.layerCount).map { .hidden(LayerIndex($0)) }
            kinds.append(.finalHidden)
        }
        if contains(.router) {
            for layer in 0..<configuration.layerCount where configuration.layerIsMixture[layer] {
                let layer = LayerIndex(layer)
                kinds += [.routerIndexes(layer), .routerWeights(layer)]
            }
        }
        return kinds
    }
}

extension GenerationRequest {
    /// Events that the request can have at most: its stream never holds more.
    func eventsMax(_ configuration: ModelConfiguration) -> Int {
        // Rows of a chunk are at least one, and a token, a score and each kind come once a row.
        let kindCount = capture.kinds(of: configuration).count
        let promptEvents = (scoresPrompt ? promptTokens.count : 0) + kindCount * promptTokens.count
        return newTokensMax + promptEvents + 3
    }
}
