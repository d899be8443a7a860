extension RingSimulator {
    /// What happens at a moment of the virtual clock.
    enum Event {
        /// A request is due.
        case arrival(Int)
        /// Requests have come, and the ring may have room.
        case fill
        /// A flight has come to its stage's door.
        case reach(Int)
        /// A flight's next MoE layer may begin.
        case layer(Int)
        /// A flight's rows go out to experts.
        case dispatch(Int)
        /// A flight's rows have come to the experts of its stage's lane.
        case experts(Int, lane: Int)
        /// The experts of a lane have served a flight.
        case served(Int, lane: Int)
        /// One of the parts that a MoE layer's sum awaits is there.
        case combine(Int)
        /// Something may have ended on a machine that several hosts share.
        case machine(Int, version: Int)
        /// A flight has left its stage.
        case leave(Int)
        /// A flight's token return has arrived.
        case back(Int)
    }
}
