/// One reason for which a cluster is not healthy.
public struct HealthReason: Equatable, Sendable {
    /// What kind of trouble it is, for programs: names do not change, whatever the text says.
    public enum Code: String, Equatable, Sendable, CaseIterable {
        /// The cluster has ended.
        case ended
        /// The server was asked to end and takes no more requests.
        case draining
        /// A node of the ring is lost.
        case nodeDead = "node_dead"
        /// A node of the ring has left of its own will.
        case nodeLeft = "node_left"
        /// A node of the ring is not let in.
        case nodeRefused = "node_refused"
        /// The connection to a node broke a moment ago.
        case nodeDisconnected = "node_disconnected"
        /// A node is late with its signs of life.
        case nodeSilent = "node_silent"
        /// A node of a cluster that forms has not joined.
        case nodeAbsent = "node_absent"
        /// A node of a cluster that forms has been told its slices and has not begun.
        case nodePlaced = "node_placed"
        /// A node of a cluster that forms loads its weights.
        case nodeLoading = "node_loading"
        /// A standby is not there or not let in.
        case standbyMissing = "standby_missing"
        /// A node runs another version than the head.
        case versionDiffers = "version_differs"
        /// A node has another checkpoint than the head.
        case checkpointDiffers = "checkpoint_differs"
        /// A node has hardly any memory left.
        case memoryLow = "memory_low"
        /// Nothing moves in a ring that has work.
        case ringStalled = "ring_stalled"
        /// A stage could not run the probe.
        case probeFailed = "probe_failed"
        /// The probe has had no answer yet, and nothing moves.
        case probeLate = "probe_late"
        /// The probe waits behind others' work.
        case busy
        /// Requests cannot be written down.
        case journalFailed = "journal_failed"
        /// No more sequences may wait.
        case queueFull = "queue_full"
    }

    /// The kind of trouble.
    public let code: Code
    /// The node that it is about; `nil` where it is about none or all.
    public let node: String?
    /// One line for people.
    public let text: String

    /// States a reason.
    public init(_ code: Code, node: String? = nil, _ text: String) {
        self.code = code
        self.node = node
        self.text = text
    }
}
