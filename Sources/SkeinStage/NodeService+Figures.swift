internal import SkeinCore
public import SkeinTelemetry
internal import SkeinWire

extension NodeService {
    /// What the node says of itself; an answer at all shows that it is alive.
    public func figures() async -> NodeFigures {
        var figures = NodeFigures(name: settings.name)
        figures.isJoined = hasJoined
        figures.upSeconds = (ContinuousClock.now - start) / .seconds(1)
        switch life {
        case .joining: figures.state = .waiting
        case .loading:
            figures.state = .loading
            (figures.loadedBytes, figures.totalBytes) = loadProgress
        case .running(let stages):
            figures.state = .ready
            figures.loadedBytes = stages.weights.byteCount
            figures.totalBytes = figures.loadedBytes
            var alive = Alive(sequenceNumber: 0, sentAtMicroseconds: 0)
            await stages.report(into: &alive)
            figures.add(alive)
        case .left: figures.state = .left
        }
        return figures
    }
}

extension NodeFigures {
    fileprivate mutating func add(_ alive: Alive) {
        stages = alive.stageTimes.map { times in
            let known =
                times.busyMicroseconds + times.waitingInMicroseconds + times.sendingMicroseconds
                + times.waitingCombineMicroseconds
            return Stage(
                index: times.stage, busySeconds: Double(times.busyMicroseconds) / 1e6,
                knownSeconds: Double(known) / 1e6)
        }
        stepCount = alive.doneStepCount + (alive.expertTimes?.doneStepCount ?? 0)
        expertBusySeconds = alive.expertTimes.map { Double($0.busyMicroseconds) / 1e6 }
    }
}
