import SkeinCore
import SkeinPlanning
import SkeinWire

// Steps that a stage cannot finish: their requests end with its reason, all others go on.
extension ClusterSimulation {
    /// Every third seed has some; their numbers are drawn apart, so that the other seeds stay what
    /// they were.
    mutating func planFailingSteps() {
        guard seed % 3 == 1 else { return }
        var numbers = SeededNumbers(seed: seed ^ 0x5EED)
        for _ in 0..<Int.random(in: 1...6, using: &numbers) {
            let time = UInt64.random(in: 1_000_000...Self.faultSpan, using: &numbers)
            let name = shape.names.randomElement(using: &numbers) ?? SimulatedNode.headName
            timeline.plan(.fault(.failStep(name)), at: time)
        }
    }
}

extension SimulatedNode {
    /// Says that a micro-batch cannot be finished, and forgets it.
    mutating func fail(_ work: Work) {
        failsNext = false
        let microBatch = work.step.microBatch
        let fault = Fault(
            stage: work.stage, microBatch: microBatch.id, reason: "the step could not be computed")
        actions.append(.failed(microBatch.spans.map(\.sequence)))
        actions.append(
            .send(
                .envelope(Envelope(epoch: epoch, sender: name, body: .fault(fault))),
                to: Self.headName))
    }
}
