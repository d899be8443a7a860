public import SkeinCore
public import SkeinTensor

extension WeightPlan {
    /// The matrices that multiply as INT8 where weights are made so.
    ///
    /// The gate and the index projections decide by close scores, and the latents' up-projection is
    /// part of the query: they keep their numbers, as INT4 experts do. The embedding is looked up.
    public var quantized: [WeightRequirement] { requirements.filter(isQuantized) }

    private func isQuantized(_ requirement: WeightRequirement) -> Bool {
        if requirement.name == headName { return holdsHead }
        // INT8 would make INT4 experts larger and no better.
        let isSmall =
            requirement.storage == .expert
            && configuration.quantization?.int4GroupColumnCount != nil
        return requirement.isQuantizable && !isSmall
            && !WeightName.keepsItsNumbers(requirement.name)
    }

    private var headName: String {
        configuration.tiesWordEmbeddings ? WeightName.embedding : WeightName.head
    }

    /// The forms in which a tensor is packed: none for what is looked up or added.
    func packedForms(of requirement: WeightRequirement, as form: WeightForm) -> [PackedForm] {
        guard requirement.shape.count == 2 else { return [] }
        if WeightName.isLatentUp(requirement.name) {
            return [
                .headsTransposed(HeadRows(keysOf: configuration)),
                .heads(HeadRows(valuesOf: configuration)),
            ]
        }
        if requirement.name == WeightName.embedding && !(holdsHead && headName == requirement.name)
        {
            return []
        }
        return [form == .int8 && isQuantized(requirement) ? .int8 : .asStored]
    }

    /// The tensors that are read where they are stored; a tied head is used in both ways.
    func kept(as form: WeightForm) -> [WeightRequirement] {
        requirements.filter {
            packedForms(of: $0, as: form).isEmpty
                || $0.name == WeightName.embedding && holdsEmbedding
        }
    }
}

extension HeadRows {
    /// The rows of the latents' up-projection that make keys.
    public init(keysOf model: ModelConfiguration) {
        self.init(
            headCount: model.headCount, rowsPerHead: model.qkNopeHeadSize + model.valueHeadSize,
            used: 0..<model.qkNopeHeadSize)
    }

    /// The rows of the latents' up-projection that make values.
    public init(valuesOf model: ModelConfiguration) {
        let rowsPerHead = model.qkNopeHeadSize + model.valueHeadSize
        self.init(
            headCount: model.headCount, rowsPerHead: rowsPerHead,
            used: model.qkNopeHeadSize..<rowsPerHead)
    }
}

extension Checkpoint {
    /// What some tensors take in memory in a form.
    ///
    /// - Throws: what ``verify(_:)`` throws.
    public func heldBytes(_ plan: WeightPlan, as form: WeightForm) throws(Refusal) -> Int {
        try verify(plan)
        var byteCount = try packedBytes(plan, as: form)
        for requirement in plan.kept(as: form) { byteCount += try storedBytes(of: requirement) }
        return byteCount
    }

    /// Packs a plan's matrices into memory, on all threads, and reads what stays as stored.
    ///
    /// What stays is touched in the order of the disk. The stored pages of a matrix are let go as
    /// soon as it is packed, so that the memory of both forms is never needed.
    ///
    /// - Parameters:
    ///   - cacheFolder: where packed matrices are kept for the next start, which maps them.
    ///   - onProgress: is told stored bytes done and stored bytes in all.
    /// - Returns: the checkpoint whose ``multiplier(_:rows:columns:)`` gives what was packed.
    public func loaded(
        _ plan: WeightPlan, as form: WeightForm, cacheFolder: String? = nil, on pool: ComputePool,
        onProgress: @escaping (_ doneBytes: Int, _ totalBytes: Int) -> Void
    ) throws(Refusal) -> Checkpoint {
        let matrices = plan.requirements.filter { !plan.packedForms(of: $0, as: form).isEmpty }
        let packedCount = try packedBytes(plan, as: form)
        let packedCache = try cacheFolder.map { folder throws(Refusal) in
            try PackedCache(
                folder: folder, checkpoint: self, plan: plan, form: form, byteCount: packedCount)
        }
        let kept = try parts(plan.kept(as: form))
        let keptBytes = kept.reduce(0) { $0 + $1.count }
        if let cached = try packedCache?.open() {
            var progress = LoadProgress(totalBytes: keptBytes + packedCount, onProgress)
            let packed = try mapped(
                plan, as: form, from: PackedBytes(cached.bytes), cached.partsWithNaN)
            for part in [cached.bytes] + kept { touch(part, on: pool, &progress) }
            return Checkpoint(self, packed: packed)
        }
        var totalBytes = keptBytes
        for requirement in matrices { totalBytes += try storedBytes(of: requirement) }
        var progress = LoadProgress(totalBytes: totalBytes, onProgress)
        let arena = try WeightArena(byteCount: packedCount)
        var packed: [PackedName: [PackedWeight]] = [:]
        var flags: [Bool] = []
        for (index, requirement) in matrices.enumerated() {
            // While one is packed, the disk reads the next.
            if index + 1 < matrices.count {
                for part in try parts([matrices[index + 1]]) { part.readAhead() }
            }
            let stored = try matrix(
                requirement.name, rows: requirement.shape[0], columns: requirement.shape[1])
            for packedForm in plan.packedForms(of: requirement, as: form) {
                let weights = arena.pack(stored, as: packedForm, on: pool)
                packed[PackedName(requirement.name, as: packedForm)] = weights
                flags += weights.map(\.holdsNaN)
            }
            stored.forgetPages()
            progress.add(try storedBytes(of: requirement))
        }
        for part in kept { touch(part, on: pool, &progress) }
        if let packedCache {
            try packedCache.write(
                arena.packedBytes, partsWithNaN: flags.indices.filter { flags[$0] })
            if let cached = try packedCache.open() {
                packed = try mapped(
                    plan, as: form, from: PackedBytes(cached.bytes), cached.partsWithNaN)
            }
        }
        return Checkpoint(self, packed: packed)
    }

    /// The matrices of a plan in bytes that were packed before.
    private func mapped(
        _ plan: WeightPlan, as form: WeightForm, from bytes: PackedBytes, _ partsWithNaN: Set<Int>
    ) throws(Refusal) -> [PackedName: [PackedWeight]] {
        var (bytes, first) = (bytes, 0)
        var packed: [PackedName: [PackedWeight]] = [:]
        for requirement in plan.requirements {
            for packedForm in plan.packedForms(of: requirement, as: form) {
                let weights = bytes.next(
                    rows: requirement.shape[0], columns: requirement.shape[1],
                    format: try storedFormat(of: requirement), as: packedForm
                ) { partsWithNaN.contains(first + $0) }
                first += weights.count
                packed[PackedName(requirement.name, as: packedForm)] = weights
            }
        }
        return packed
    }

    private func touch(
        _ part: MappedBytes, on pool: ComputePool, _ progress: inout LoadProgress
    ) {
        for lower in stride(from: 0, to: part.count, by: LoadProgress.reportedBytes) {
            let upper = min(lower + LoadProgress.reportedBytes, part.count)
            part.subrange(lower..<upper).touch(on: pool)
            progress.add(upper - lower)
        }
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
        let forms = plan.packedForms(of: requirement, as: form)
        guard !forms.isEmpty else { return try storedBytes(of: requirement) }
        return try packedBytes(of: requirement, as: forms)
    }

    private func packedBytes(_ plan: WeightPlan, as form: WeightForm) throws(Refusal) -> Int {
        var byteCount = 0
        for requirement in plan.requirements {
            byteCount += try packedBytes(
                of: requirement, as: plan.packedForms(of: requirement, as: form))
        }
        return byteCount
    }

    private func packedBytes(
        of requirement: WeightRequirement, as forms: [PackedForm]
    ) throws(Refusal) -> Int {
        guard !forms.isEmpty else { return 0 }
        let stored = try storedFormat(of: requirement)
        return forms.reduce(0) {
            $0
                + $1.byteCount(
                    rows: requirement.shape[0], columns: requirement.shape[1], format: stored)
        }
    }

    private func storedBytes(of requirement: WeightRequirement) throws(Refusal) -> Int {
        let found = try find(requirement)
        // Of an expert in a fused file its part of the scales of gate and up together.
        let scaleBytes = (found.scales?.range.count ?? 0) * requirement.shape[0]
        return found.codeBytes(of: requirement) + scaleBytes / found.tensor.storedRowCount
    }
}

/// Counts bytes and tells of them now and then.
private struct LoadProgress {
    /// Bytes touched at once, and between two reports.
    static let reportedBytes = 32 << 20

    private let totalBytes: Int
    private let onProgress: (_ doneBytes: Int, _ totalBytes: Int) -> Void
    private var (doneBytes, reportedBytes) = (0, 0)

    init(totalBytes: Int, _ onProgress: @escaping (Int, Int) -> Void) {
        self.totalBytes = totalBytes
        self.onProgress = onProgress
        onProgress(0, totalBytes)
    }

    mutating func add(_ byteCount: Int) {
        doneBytes += byteCount
        guard doneBytes - reportedBytes >= Self.reportedBytes || doneBytes == totalBytes else {
            return
        }
        onProgress(doneBytes, totalBytes)
        reportedBytes = doneBytes
    }
}
