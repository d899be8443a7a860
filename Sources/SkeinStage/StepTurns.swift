/// Whose turn it is among the steps that a stage has begun (a pure value).
///
/// Steps are numbered in the order in which they came. No step comes to a layer before one that
/// came earlier: the two may be chunks of one sequence, and the later reads what the earlier wrote.
struct StepTurns {
    private var begunBlockCounts: [Int: Int] = [:]
    private var endedSteps: Set<Int> = []
    private var firstStep = 0

    /// Whether a step may run a layer of the slice.
    func mayRun(_ step: Int, block: Int) -> Bool {
        (firstStep..<step).allSatisfy {
            endedSteps.contains($0) || begunBlockCounts[$0, default: 0] > block
        }
    }

    /// Whether every step before this one has ended.
    func isFirst(_ step: Int) -> Bool {
        (firstStep..<step).allSatisfy(endedSteps.contains)
    }

    /// A step runs a layer.
    mutating func onBlock(_ block: Int, of step: Int) { begunBlockCounts[step] = block + 1 }

    /// A step has ended, well or not.
    mutating func onEnd(_ step: Int) {
        begunBlockCounts[step] = nil
        endedSteps.insert(step)
        while endedSteps.remove(firstStep) != nil { firstStep += 1 }
    }
}
