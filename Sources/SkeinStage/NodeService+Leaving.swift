internal import SkeinCore
internal import SkeinTransport
internal import SkeinWire

// The end of a node that is asked to end.
extension NodeService {
    /// Goes away in good order: asks the coordinator to let it go, works on until then, and ends.
    ///
    /// A standby then has our place, or the ring is empty. Where no coordinator speaks to us there
    /// is nobody to ask; one that does not answer is not waited for long.
    public func endInGoodOrder() async {
        if hasJoined, isHeard(within: 5), !isLeaving, !hasLeft {
            isLeaving = true
            await tell(.leave(reason: "the node was asked to end"), epoch: .none)
            let end = ContinuousClock.now + .seconds(Limits.leaveSecondsMax)
            // A coordinator that lives speaks every beat: two that are missing mean that it ended.
            while ContinuousClock.now < end, isHeard(within: 3), !hasLeft {
                do { try await Task.sleep(for: .milliseconds(50)) } catch { break }
            }
        }
        await inbox.close()
    }

    private func isHeard(within beats: Int) -> Bool {
        ContinuousClock.now - coordinatorHeardAt <= settings.heartbeatInterval * beats
    }

    private var hasLeft: Bool { if case .left = life { true } else { false } }
}
