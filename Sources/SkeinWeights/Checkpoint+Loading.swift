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
    /// What stays as stored is touched in the order of the disk. The stored pages of a tensor that
    /// was made anew are let go at once, so that the memory of both forms is never needed.
    ///
    /// - Parameter onProgress: is told stored bytes done and stored bytes in all.
    /// - Returns: the checkpoint whose ``multiplier(_:rows:columns:)`` gives what was made.
    public func loaded(
        _ plan: WeightPlan, as form: WeightForm, on pool: ComputePool,
        onProgress: (_ doneBytes: Int, _ totalBytes: Int) -> Void
    ) throws(Refusal) -> Checkpoint {
        let remade = plan.remade(as: form)
        let kept = try parts(plan.kept(as: form))
        let arena = try WeightArena(byteCount: arenaBytes(plan, as: form))
        var totalBytes = kept.reduce(0) { $0 + $1.count }
        for requirement in remade { totalBytes += try storedBytes(of: requirement) }
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
        var made: [String: WeightMatrix] = [:]
        for (index, requirement) in remade.enumerated() {
            // While one is made, the disk reads the next.
            if index + 1 < remade.count {
                for part in try parts([remade[index + 1]]) { part.readAhead() }
            }
            let stored = try matrix(
                requirement.name, rows: requirement.shape[0], columns: requirement.shape[1])
            made[requirement.name] = arena.int8(stored, on: pool)
            stored.forgetPages()
            report(try storedBytes(of: requirement))
        }
        for part in kept {
            for lower in stride(from: 0, to: part.count, by: Self.reportedBytes) {
                let upper = min(lower + Self.reportedBytes, part.count)
                part.subrange(lower..<upper).touch(on: pool)
                report(upper - lower)
            }
        }
        return made.isEmpty ? self : Checkpoint(self, made: made)
    }

    /// The bytes of some tensors in the order of the disk, neighbours in one part.
    private func parts(_ requirements: [WeightRequirement]) throws(Refusal) -> [MappedBytes] {
        var files: [String: (file: SafetensorsFile, ranges: RangeSet<Int>)] = [:]
        for requirement in requirements {
            let found = try find(requirement)
            for tensor in [found.tensor, found.scales].compactMap({ $0 }) {
                files[tensor.file.path, default: (tensor.file, RangeSet())].ranges
                    .insert(contentsOf: tensor.range)
            }
        }
        return files.values.sorted { $0.file.path < $1.file.path }.flatMap { part in
            part.ranges.ranges.map { part.file.bytes($0) }
        }
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

    /// Bytes touched at once, and between two reports of progress.
    private static let reportedBytes = 32 << 20
}
