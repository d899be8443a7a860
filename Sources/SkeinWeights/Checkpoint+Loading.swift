public import SkeinCore
public import SkeinTensor

extension WeightPlan {
    /// The tensors that take another form than the stored one.
    ///
    /// Those are the matrices that multiply rows in serving arithmetic, and the head. The gate and
    /// the latents' up-projection multiply in F32, the embedding is looked up: all stay as stored.
    public func remade(as form: WeightForm) -> [WeightRequirement] {
        form == .int8 ? requirements.filter(isRemade) : []
    }

    /// Whether a tensor takes another form in a plan that has one.
    func isRemade(_ requirement: WeightRequirement) -> Bool {
        let head = configuration.tiesWordEmbeddings ? WeightName.embedding : WeightName.head
        if requirement.name == head { return holdsHead }
        return requirement.storage == .quantizable && !WeightName.staysAsStored(requirement.name)
    }

    /// The tensors that are used as stored; a tied head is used in both ways.
    func kept(as form: WeightForm) -> [WeightRequirement] {
        let remade = Set(remade(as: form).map(\.name))
        return requirements.filter {
            !remade.contains($0.name) || $0.name == WeightName.embedding
        }
    }
}

extension Checkpoint {
    /// What some tensors take in memory in a form.
    ///
    /// - Throws: what ``verify(_:)`` throws.
    public func heldBytes(_ plan: WeightPlan, as form: WeightForm) throws(Refusal) -> Int {
        try verify(plan)
        var byteCount = 0
        for requirement in plan.kept(as: form) { byteCount += try storedBytes(of: requirement) }
        return byteCount + arenaBytes(plan, as: form)
    }

    /// Reads a plan's tensors into memory and makes those that take another form, on all threads.
    ///
    /// The stored pages of a tensor that was made anew are let go at once, so that the memory of
    /// both forms is never needed.
    ///
    /// - Parameter onProgress: is told stored bytes done and stored bytes in all.
    /// - Returns: the checkpoint whose ``multiplier(_:rows:columns:)`` gives what was made.
    public func loaded(
        _ plan: WeightPlan, as form: WeightForm, on pool: ComputePool,
        onProgress: (_ doneBytes: Int, _ totalBytes: Int) -> Void
    ) throws(Refusal) -> Checkpoint {
        let remade = plan.remade(as: form)
        guard !remade.isEmpty else {
            try touch(plan, onProgress: onProgress)
            return self
        }
        let kept = plan.kept(as: form)
        var totalBytes = 0
        for requirement in remade + kept { totalBytes += try storedBytes(of: requirement) }
        let arena = try WeightArena(byteCount: arenaBytes(plan, as: form))
        var made: [String: WeightMatrix] = [:]
        var (doneBytes, reportedBytes) = (0, 0)
        func report(_ byteCount: Int) {
            doneBytes += byteCount
            guard doneBytes - reportedBytes >= Self.reportedBytes || doneBytes == totalBytes else {
                return
            }
            onProgress(doneBytes, totalBytes)
            reportedBytes = doneBytes
        }
        onProgress(0, totalBytes)
        for requirement in remade {
            let stored = try matrix(
                requirement.name, rows: requirement.shape[0], columns: requirement.shape[1])
            made[requirement.name] = arena.int8(stored, on: pool)
            stored.forgetPages()
            report(try storedBytes(of: requirement))
        }
        for requirement in kept {
            let found = try find(requirement)
            for tensor in [found.tensor, found.scales].compactMap({ $0 }) {
                tensor.file.bytes(tensor.range).touch()
            }
            report(try storedBytes(of: requirement))
        }
        return Checkpoint(self, made: made)
    }

    /// Bytes that one use of a planned tensor reads.
    func readBytes(
        of requirement: WeightRequirement, in plan: WeightPlan, as form: WeightForm
    ) throws(Refusal) -> Int {
        let stored = try storedBytes(of: requirement)
        guard form == .int8, requirement.shape.count == 2, plan.isRemade(requirement) else {
            return stored
        }
        return WeightArena.int8ByteCount(rows: requirement.shape[0], columns: requirement.shape[1])
    }

    private func arenaBytes(_ plan: WeightPlan, as form: WeightForm) -> Int {
        plan.remade(as: form).reduce(0) {
            $0 + WeightArena.int8ByteCount(rows: $1.shape[0], columns: $1.shape[1])
        }
    }

    private func storedBytes(of requirement: WeightRequirement) throws(Refusal) -> Int {
        let found = try find(requirement)
        return requirement.elementCount * found.tensor.elementType.byteCount
            + (found.scales?.range.count ?? 0)
    }

    /// Bytes between two reports of progress.
    private static let reportedBytes = 32 << 20
}
