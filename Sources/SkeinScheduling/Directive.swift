public import SkeinCore

/// What the schedule tells the coordinator to do, in order.
public enum Directive: Equatable, Sendable {
    /// Put this micro-batch into the ring.
    case send(MicroBatch)

    /// The first micro-batch of the sequence is sent next; so many tokens of its prompt are not
    /// run, since their rows were known. Told once, whatever is replayed.
    case began(SequenceID, cachedTokenCount: Int)

    /// Give these tokens to the reader of the sequence.
    case deliver(SequenceID, [SampledToken])

    /// Give these scores of the targets, one for each prompt row from a position on.
    case score(SequenceID, firstPosition: Int, [TargetScore])

    /// So many tokens of the sequence were guessed ahead; told before its end, where any were.
    case drafted(SequenceID, DraftCounts)

    /// The sequence has ended; nothing is delivered after this.
    case finished(SequenceID, FinishReason)

    /// The sequence can never run here.
    case refuse(SequenceID, Refusal)

    /// The sequence cannot run now; it may be tried again later.
    case busy(SequenceID, Refusal)

    /// No micro-batch of these sequences is in the ring and their pages were given back; stages
    /// may forget what they keep for them. A sequence that was preempted comes again.
    case release([SequenceID])
}
