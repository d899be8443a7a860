import SkeinCore

/// Where a live sequence stands.
enum SequenceLife: Equatable {
    /// In the queue; owns no page.
    case waiting
    /// Its tokens so far are going through the ring, chunk by chunk.
    case prefilling
    /// One step after the other.
    case decoding
    /// Ended or cancelled; its pages are free when the last micro-batch returns.
    case ending
    /// Preempted; it waits again when the last micro-batch has returned.
    case preempted
}

/// What the schedule knows about one sequence.
struct SequenceState {
    let request: SequenceRequest
    /// Prompt, then what was produced.
    var tokens: [TokenID]
    var life = SequenceLife.waiting
    /// Positions whose rows were put into the ring in this life; `pages` covers them.
    var rowsSent = 0
    /// Positions whose rows are known to be in every stage's cache.
    var rowsReturned = 0
    /// Prompt rows whose scores were given out.
    var scoredCount = 0
    var pages: [PageIndex] = []
    var inFlightCount = 0
    /// Whether a micro-batch of it was ever sent, in this life or one before.
    var hasBegun = false
    /// Whether the stages were told the request's name in this life.
    var isNamed = false
    /// How many of `pages`, from the first, are known to the prefix index, and where.
    var indexedPageCount = 0
    var prefixNode: PrefixIndex.NodeID?
    /// The known page whose first rows its own page begins with; owned until they were copied.
    var copiedPage: CopiedPage?
    /// Whose rows it waits for instead of running them itself.
    var prefixOwner: PrefixOwner?
    /// What its tokens have in common with others'; empty where prefixes are not reused.
    var beginning = Beginning()
    /// Whether it is not known yet what may follow its last token; no token is asked for meanwhile.
    var awaitsAllowance = false
    /// Whether a stage failed on one of its micro-batches: its rows are never shared.
    var hasFaultyRows = false
    /// Whether a new epoch found it producing tokens, so that its reader sees it stand still.
    var isInterrupted = false
    /// Guesses of what follows its last token, to ride in its next micro-batch.
    var drafts: [TokenID] = []
    /// What became of guesses so far; `nil` where none was verified.
    var draftCounts: DraftCounts?
    /// Whether the prediction layer reads along in this life, and so may be asked for drafts.
    var isPredicted = false

    /// A known page that is copied in part.
    struct CopiedPage: Equatable {
        var page: PageIndex
        var rowCount: Int
        /// Whether the copy is in the ring.
        var isSent = false
    }

    /// An older sequence that runs the same beginning.
    struct PrefixOwner: Equatable {
        var sequence: SequenceID
        /// Rows that both begin with.
        var rowCount: Int
    }

    init(_ request: SequenceRequest) {
        self.request = request
        tokens = request.promptTokens + request.completionTokens
        scoredCount = request.scoredCount
        isInterrupted = request.wasInterrupted
    }

    var completionTokens: ArraySlice<TokenID> { tokens[request.promptTokens.count...] }

    var owesScores: Bool {
        !request.targets.isEmpty && scoredCount < request.promptTokens.count
    }

    /// Whether pages of another sequence's beginning may stand in for its own rows.
    var mayReusePrefix: Bool { request.capture.isEmpty && !owesScores }

    var hasChunkLeft: Bool {
        life == .prefilling && prefixOwner == nil && rowsSent < tokens.count && !awaitsAllowance
    }

    /// Its own pages, and the one that it copies.
    var ownedPages: [PageIndex] { copiedPage.map { pages + [$0.page] } ?? pages }

    /// What the last stage needs to draw the next token.
    func demand() -> SamplingDemand {
        guard request.sampling.needsHistory else {
            return SamplingDemand(parameters: request.sampling)
        }
        return SamplingDemand(
            parameters: request.sampling, promptTokens: request.promptTokens,
            completionTokens: Array(completionTokens))
    }
}

/// All sequences that have arrived and not departed, and in which order they are served.
struct SequenceTable {
    private var states: [SequenceID: SequenceState] = [:]
    /// By arrival; a preempted sequence stands before those that came after it.
    private(set) var waiting: [SequenceID] = []
    /// Those that own pages or are in the ring, by arrival.
    private(set) var running: [SequenceID] = []

    var count: Int { states.count }
    var all: some Collection<SequenceState> { states.values }

    func contains(_ id: SequenceID) -> Bool { states[id] != nil }

    func state(of id: SequenceID) -> SequenceState? { states[id] }

    subscript(id: SequenceID) -> SequenceState {
        guard let state = states[id] else { preconditionFailure("unknown sequence \(id.rawValue)") }
        return state
    }

    /// Changes a state in place.
    mutating func update<Result>(
        _ id: SequenceID, _ change: (inout SequenceState) -> Result
    ) -> Result {
        guard let index = states.index(forKey: id) else {
            preconditionFailure("unknown sequence \(id.rawValue)")
        }
        return change(&states.values[index])
    }

    mutating func arrive(_ request: SequenceRequest) {
        precondition(states[request.id] == nil, "sequence \(request.id.rawValue) arrived twice")
        states[request.id] = SequenceState(request)
        Self.insert(request.id, into: &waiting)
    }

    mutating func start(_ id: SequenceID) {
        Self.remove(id, from: &waiting)
        Self.insert(id, into: &running)
        update(id) { $0.life = .prefilling }
    }

    /// Puts a sequence without pages back into the queue, to be replayed.
    mutating func wait(_ id: SequenceID) {
        Self.remove(id, from: &running)
        Self.insert(id, into: &waiting)
        update(id) { state in
            state.life = .waiting
            state.rowsSent = 0
            state.rowsReturned = 0
            state.indexedPageCount = 0
            state.prefixNode = nil
            state.copiedPage = nil
            state.prefixOwner = nil
            state.isNamed = false
            state.drafts = []
        }
    }

    mutating func depart(_ id: SequenceID) {
        Self.remove(id, from: &waiting)
        Self.remove(id, from: &running)
        states[id] = nil
    }

    private static func insert(_ id: SequenceID, into list: inout [SequenceID]) {
        list.insert(id, at: place(of: id, in: list))
    }

    private static func remove(_ id: SequenceID, from list: inout [SequenceID]) {
        let place = place(of: id, in: list)
        if place < list.count, list[place] == id { list.remove(at: place) }
    }

    /// Where the identifier is or belongs: the lists are sorted.
    private static func place(of id: SequenceID, in list: [SequenceID]) -> Int {
        var low = 0
        var high = list.count
        while low < high {
            let middle = (low + high) / 2
            if list[middle] < id { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
