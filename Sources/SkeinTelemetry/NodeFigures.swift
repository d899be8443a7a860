public import SkeinCore

/// What a node says of itself, on its own HTTP port and to its service manager.
public struct NodeFigures: Equatable, Sendable {
    /// Where a node stands, by itself alone.
    public enum State: String, CaseIterable, Sendable {
        /// It waits for the head, or for a place.
        case waiting
        /// It reads its weights.
        case loading
        /// It holds its part and can run.
        case ready
        /// It ends.
        case left
    }

    /// Where the time of one stage went since its placement.
    public struct Stage: Equatable, Sendable {
        /// Which stage.
        public var index: StageIndex
        /// Seconds of computing.
        public var busySeconds: Double
        /// Seconds of all kinds.
        public var knownSeconds: Double

        /// Describes a stage.
        public init(index: StageIndex, busySeconds: Double, knownSeconds: Double) {
            self.index = index
            self.busySeconds = busySeconds
            self.knownSeconds = knownSeconds
        }
    }

    /// Its name in the cluster file.
    public var name: String
    /// Where it stands.
    public var state = State.waiting
    /// Whether the head has let it in and has been heard since.
    public var isJoined = false
    /// Whether the cluster file has it stand by.
    public var isStandby = false
    /// Bytes of weights in memory; while it loads, those that it has read.
    public var loadedBytes = 0
    /// Bytes of weights that it is to hold; 0 where it has no place.
    public var totalBytes = 0
    /// Where the time of its stages went.
    public var stages: [Stage] = []
    /// Seconds that its expert host has computed; `nil` where it has none.
    public var expertBusySeconds: Double?
    /// Steps and dispatches since its placement.
    public var stepCount: UInt64 = 0
    /// Seconds since it started.
    public var upSeconds = 0.0
    /// What its links have carried; `nil` where its peers are in the same process.
    public var traffic: LinkTraffic?

    /// Describes a node that has just started.
    public init(name: String) { self.name = name }

    /// Why it cannot do its part, in one line; `nil` where it can.
    public var waitsFor: String? {
        switch state {
        case .left: return "the node ends"
        case .loading: return "it loads: \(loadedBytes) of \(totalBytes) bytes are read"
        case .waiting where isJoined && isStandby: return nil
        case .waiting where isJoined: return "it has joined and waits for a place"
        case .waiting: return "it waits for the head"
        case .ready: return isJoined ? nil : "its weights are loaded and it waits for the head"
        }
    }

    /// The share of its stages' time in which they computed; `nil` before the first step.
    public var busyShare: Double? {
        let known = stages.reduce(0) { $0 + $1.knownSeconds }
        guard known > 0 else { return nil }
        return stages.reduce(0) { $0 + $1.busySeconds } / known
    }
}
