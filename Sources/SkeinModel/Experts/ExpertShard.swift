public import SkeinCore
public import SkeinTensor
public import SkeinWeights

/// A row and an expert that was chosen for it.
public struct RowChoice: Sendable, Equatable {
    /// The row.
    public let row: Int
    /// The expert, as the checkpoint numbers it.
    public let expert: Int

    /// Pairs a row with an expert.
    public init(row: Int, expert: Int) {
        self.row = row
        self.expert = expert
    }
}

/// Some routed experts of one layer, wherever they run.
///
/// Every output row is rounded to BF16, since that is what travels from an expert host: a combine
/// then gives the same bytes whether an expert was local or remote.
public struct ExpertShard: Sendable {
    /// The experts in ascending order, as the checkpoint numbers them.
    public let experts: [Int]

    private let weights: [GatedWeights]

    /// The place of each of the layer's experts among ours, -1 for one that is remote.
    private let places: [Int]

    /// Finds experts of a layer in a checkpoint.
    public init(checkpoint: Checkpoint, layer: Int, experts: Range<Int>) throws(Refusal) {
        try self.init(checkpoint: checkpoint, layer: layer, ranges: [experts])
    }

    /// Finds experts of a layer in a checkpoint.
    ///
    /// - Parameter ranges: ascending ranges that do not overlap.
    public init(checkpoint: Checkpoint, layer: Int, ranges: [Range<Int>]) throws(Refusal) {
        guard let routing = checkpoint.configuration.routing else {
            preconditionFailure("a dense model has no experts")
        }
        let experts = Array(ranges.joined())
        precondition(
            zip(experts, experts.dropFirst()).allSatisfy { $0 < $1 }
                && experts.allSatisfy { $0 >= 0 && $0 < routing.expertCount },
            "experts \(ranges) of \(routing.expertCount)")
        let names = WeightName.layer(layer)
        var weights: [GatedWeights] = []
        for expert in experts {
            let unit = try GatedWeights(
                checkpoint: checkpoint, names: names.expert(expert),
                innerSize: routing.expertIntermediateSize)
            if let first = weights.first,
                first.gate.format != unit.gate.format || first.down.format != unit.down.format
            {
                throw Refusal(
                    "\(checkpoint.folder): \(names.expert(expert).gate)",
                    "expert \(expert) is stored as \(unit.gate.format) and \(unit.down.format), "
                        + "but expert \(experts[0]) as \(first.gate.format) and "
                        + "\(first.down.format)")
            }
            weights.append(unit)
        }
        var places = [Int](repeating: -1, count: routing.expertCount)
        for (place, expert) in experts.enumerated() { places[expert] = place }
        self.experts = experts
        self.weights = weights
        self.places = places
    }

    /// Whether an expert is among ours.
    public func holds(_ expert: Int) -> Bool {
        places.indices.contains(expert) && places[expert] >= 0
    }

    /// Applies to each row its experts; each expert's weights are read once.
    ///
    /// - Parameters:
    ///   - rows: `[row, hidden]`, already rounded to BF16.
    ///   - part: which of `experts` the assignments count; all of them are ours.
    ///   - outputs: resized to `[assignments.outputRowCount, hidden]`; BF16 values.
    public func apply(
        _ rows: Tensor, part: Range<Int>, assignments: ExpertAssignments, into outputs: Tensor,
        on pool: ComputePool
    ) {
        precondition(part.allSatisfy(holds), "experts \(part) of \(experts)")
        let first = places[part.lowerBound]
        apply(
            rows, places: first..<first + part.count, assignments: assignments, into: outputs,
            on: pool)
    }

    /// Applies experts to rows and packs what they give.
    ///
    /// - Parameters:
    ///   - rows: `[row, hidden]`, already rounded to BF16.
    ///   - choices: of experts that are ours.
    ///   - rowsMax: outputs that are kept unpacked at once, unless a single expert has more.
    ///   - outputs: scratch, `[_, hidden]`.
    /// - Returns: one BF16 row for each choice, in order.
    public func packedOutputs(
        _ rows: Tensor, choices: [RowChoice], rowsMax: Int, scratch outputs: Tensor,
        on pool: ComputePool
    ) -> [UInt8] {
        let parts = self.parts(of: choices.lazy.map(\.expert), count: choices.count, rowsMax)
        let rowBytes = 2 * outputs.columnCount
        var packed: [UInt8] = []
        if parts.count > 1 { packed = [UInt8](repeating: 0, count: choices.count * rowBytes) }
        for part in parts {
            let meant = choices.indices.filter { part.contains(places[choices[$0].expert]) }
            let pairs = meant.enumerated().map { line, choice in
                (
                    expert: places[choices[choice].expert] - part.lowerBound,
                    inputRow: choices[choice].row, outputRow: line
                )
            }
            apply(
                rows, places: part,
                assignments: ExpertAssignments(
                    expertCount: part.count, pairs: pairs, outputRowCount: meant.count),
                into: outputs, on: pool)
            let bytes = outputs.packedBFloat16()
            guard parts.count > 1 else { return bytes }
            for (line, choice) in meant.enumerated() {
                packed.replaceSubrange(
                    (choice * rowBytes)..<((choice + 1) * rowBytes),
                    with: bytes[(line * rowBytes)..<((line + 1) * rowBytes)])
            }
        }
        return packed
    }

    /// Runs of our experts, ascending, that serve at most `rowsMax` rows together, or one expert;
    /// by their places.
    func parts(of chosen: some Sequence<Int>, count: Int, _ rowsMax: Int) -> [Range<Int>] {
        guard count > rowsMax else { return [experts.indices] }
        var counts = [Int](repeating: 0, count: experts.count)
        for expert in chosen where places[expert] >= 0 { counts[places[expert]] += 1 }
        var parts: [Range<Int>] = []
        var (first, rowCount) = (0, 0)
        for (place, count) in counts.enumerated() {
            if rowCount + count > rowsMax && first < place {
                parts.append(first..<place)
                (first, rowCount) = (place, 0)
            }
            rowCount += count
        }
        return parts + [first..<counts.count]
    }

    private func apply(
        _ rows: Tensor, places part: Range<Int>, assignments: ExpertAssignments,
        into outputs: Tensor, on pool: ComputePool
    ) {
        let units = part == experts.indices ? weights : Array(weights[part])
        GatedUnit.applyExperts(
            units, assignments: assignments, to: rows, into: outputs, on: pool)
        outputs.roundToBFloat16(on: pool)
    }
}
