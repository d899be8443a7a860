import SkeinCache
import SkeinCore
import SkeinTensor
import Testing

/// What every stage relies on, for each form of rows, with index keys and without.
@Suite struct LatentPoolFormTests {
    private static let compute = ComputePool(threadCount: 2)
    private static let layer = LayerIndex(3)

    private func write(
        _ pool: LatentPool, _ layer: LayerIndex = layer, sequence: Int, _ positions: Range<Int>,
        pages: [PageIndex], threadCount: Int = 2
    ) {
        let compute = threadCount == 2 ? Self.compute : ComputePool(threadCount: threadCount)
        let span = AttentionSpan(
            rows: 0..<positions.count, firstPosition: positions.lowerBound, pageTable: pages)
        let view = pool.view(of: layer)
        view.write(PoolSamples.rows(sequence, positions), spans: [span], on: compute)
        guard pool.indexKeyWidth > 0 else { return }
        view.writeIndexKeys(
            PoolSamples.rows(sequence, positions, width: PoolKind.keyWidth), spans: [span],
            on: compute)
    }

    private func rows(
        _ pool: LatentPool, _ positions: Range<Int>, pages: [PageIndex],
        of layer: LayerIndex = layer
    ) -> [[Float]] {
        let view = pool.view(of: layer)
        return positions.map { view.row(position: $0, pageTable: pages) }
    }

    /// The positions that the best index keys of a sequence stand at.
    private func selected(_ pool: LatentPool, _ count: Int, pages: [PageIndex]) -> [Int]? {
        guard pool.indexKeyWidth > 0 else { return nil }
        let span = AttentionSpan(rows: 0..<1, firstPosition: count - 1, pageTable: pages)
        return pool.view(of: Self.layer).select(
            Tensor([[Float](repeating: 1, count: PoolKind.keyWidth)]), weights: Tensor([[1]]),
            paged: PagedRows([span]), keptCount: 3, on: Self.compute
        )?.positions(row: 0, position: count - 1)
    }

    /// Pages are given out one by one as sequences grow, so their pages lie among each other.
    @Test(arguments: PoolKind.all)
    func sequencesWhosePagesLieAmongEachOtherKeepTheirRows(kind: PoolKind) throws {
        let pool = try kind.pool(pageCount: 9)
        let lengths = [1, 63, 64, 65, 130]
        let tables = [[8], [0], [5], [7, 1], [3, 6, 2]].map { $0.map { PageIndex($0) } }
        for first in stride(from: 0, to: 130, by: 31) {
            for (sequence, length) in lengths.enumerated() where first < length {
                write(
                    pool, sequence: sequence, first..<min(first + 31, length),
                    pages: tables[sequence])
            }
        }
        for (sequence, length) in lengths.enumerated() {
            let found = rows(pool, 0..<length, pages: tables[sequence])
            for position in [0, 30, 31, 62, 63, 64, 129] where position < length {
                let numbers = PoolSamples.row(sequence, position)
                #expect(try found[position] == PoolSamples.stored(numbers, kind.form))
            }
            #expect(Set(found).count == length)
        }
        // The other layer of the pool and the page that nobody has are as they were.
        let empty = [Float](repeating: 0, count: PoolKind.rowWidth)
        #expect(rows(pool, 0..<64, pages: tables[1], of: LayerIndex(2)).allSatisfy { $0 == empty })
        #expect(rows(pool, 0..<64, pages: [PageIndex(4)]).allSatisfy { $0 == empty })
    }

    @Test(arguments: PoolKind.all, [(1, 1), (7, 3), (64, 2), (65, 4), (200, 1)])
    func chunksAndThreadsDoNotChangeWhatIsStored(
        kind: PoolKind, way: (chunk: Int, threads: Int)
    ) throws {
        let pages = [3, 0, 2, 1].map { PageIndex($0) }
        let whole = try kind.pool(pageCount: 4)
        write(whole, sequence: 5, 0..<200, pages: pages)
        let parts = try kind.pool(pageCount: 4)
        for first in stride(from: 0, to: 200, by: way.chunk) {
            write(
                parts, sequence: 5, first..<min(first + way.chunk, 200), pages: pages,
                threadCount: way.threads)
        }
        #expect(rows(parts, 0..<200, pages: pages) == rows(whole, 0..<200, pages: pages))
        #expect(selected(parts, 200, pages: pages) == selected(whole, 200, pages: pages))
    }

    /// One write carries the rows of several sequences, as a micro-batch does.
    @Test(arguments: PoolKind.all)
    func spansOfOneWriteGoToTheirOwnPages(kind: PoolKind) throws {
        let pool = try kind.pool(pageCount: 3)
        let together = Tensor(
            (0..<5).map { PoolSamples.row(1, 60 + $0) } + [PoolSamples.row(2, 9)])
        pool.view(of: Self.layer).write(
            together,
            spans: [
                AttentionSpan(
                    rows: 0..<5, firstPosition: 60, pageTable: [PageIndex(2), PageIndex(0)]),
                AttentionSpan(rows: 5..<6, firstPosition: 9, pageTable: [PageIndex(1)]),
            ], on: Self.compute)
        let first = rows(pool, 60..<65, pages: [PageIndex(2), PageIndex(0)])
        for offset in 0..<5 {
            #expect(
                try first[offset]
                    == PoolSamples.stored(PoolSamples.row(1, 60 + offset), kind.form))
        }
        #expect(
            try rows(pool, 9..<10, pages: [PageIndex(1)])
                == [PoolSamples.stored(PoolSamples.row(2, 9), kind.form)])
        #expect(rows(pool, 8..<9, pages: [PageIndex(1)])[0].allSatisfy { $0 == 0 })
    }

    /// A replay writes the rows of a sequence again, on other pages or on those of another one.
    @Test(arguments: PoolKind.all)
    func aPageThatIsGivenToAnotherSequenceHoldsItsRowsOnly(kind: PoolKind) throws {
        let pages = [PageIndex(1), PageIndex(0)]
        let fresh = try kind.pool(pageCount: 2)
        write(fresh, sequence: 2, 0..<100, pages: pages)
        let used = try kind.pool(pageCount: 2)
        write(used, sequence: 1, 0..<128, pages: pages.reversed())
        write(used, sequence: 2, 0..<100, pages: pages)
        #expect(rows(used, 0..<100, pages: pages) == rows(fresh, 0..<100, pages: pages))
        #expect(selected(used, 100, pages: pages) == selected(fresh, 100, pages: pages))
    }

    @Test(arguments: PoolKind.all, [0, 1, 5, 63, 64])
    func aCopyBringsTheFirstRowsOfAllLayersAndNoOthers(kind: PoolKind, count: Int) throws {
        let pool = try kind.pool(pageCount: 3)
        let (source, target) = ([PageIndex(2)], [PageIndex(0)])
        for layer in 2..<4 {
            write(pool, LayerIndex(layer), sequence: layer, 0..<64, pages: source)
            write(pool, LayerIndex(layer), sequence: 10 + layer, 0..<64, pages: target)
        }
        let before = (2..<4).map { layer in
            [source, target].map { rows(pool, 0..<64, pages: $0, of: LayerIndex(layer)) }
        }
        pool.copyPage(from: source[0], to: target[0], rowCount: count)
        for layer in 2..<4 {
            let (first, second) = (before[layer - 2][0], before[layer - 2][1])
            #expect(rows(pool, 0..<64, pages: source, of: LayerIndex(layer)) == first)
            #expect(
                rows(pool, 0..<64, pages: target, of: LayerIndex(layer))
                    == Array(first[..<count] + second[count...]))
        }
        if count == 64 {
            #expect(selected(pool, 64, pages: target) == selected(pool, 64, pages: source))
        }
    }

    @Test(arguments: PoolKind.all)
    func aPageThatIsCopiedToItselfIsUnchanged(kind: PoolKind) throws {
        let pool = try kind.pool(pageCount: 1)
        write(pool, sequence: 1, 0..<64, pages: [PageIndex(0)])
        let before = rows(pool, 0..<64, pages: [PageIndex(0)])
        pool.copyPage(from: PageIndex(0), to: PageIndex(0), rowCount: 40)
        #expect(rows(pool, 0..<64, pages: [PageIndex(0)]) == before)
    }

    /// Sequences with an equal beginning name the same page in their tables.
    @Test(arguments: PoolKind.all)
    func aSharedPageIsReadByAllWhoNameIt(kind: PoolKind) throws {
        let pool = try kind.pool(pageCount: 3)
        write(pool, sequence: 1, 0..<80, pages: [PageIndex(1), PageIndex(0)])
        write(pool, sequence: 2, 64..<80, pages: [PageIndex(1), PageIndex(2)])
        let first = rows(pool, 0..<80, pages: [PageIndex(1), PageIndex(0)])
        let second = rows(pool, 0..<80, pages: [PageIndex(1), PageIndex(2)])
        #expect(first[..<64] == second[..<64])
        #expect(zip(first[64...], second[64...]).allSatisfy { $0 != $1 })
    }

    /// What FP8 rows decode to is what kernels compute with, to the last bit.
    @Test func attentionOverFP8RowsIsThatOverTheSameNumbersInBF16() throws {
        let coded = try PoolKind(form: .fp8, hasIndexKeys: false).pool(pageCount: 2)
        let plain = try PoolKind(form: .bf16, hasIndexKeys: false).pool(pageCount: 2)
        let pages = [PageIndex(1), PageIndex(0)]
        write(coded, sequence: 3, 0..<90, pages: pages)
        plain.view(of: Self.layer).write(
            Tensor(rows(coded, 0..<90, pages: pages)),
            spans: [AttentionSpan(rows: 0..<90, firstPosition: 0, pageTable: pages)],
            on: Self.compute)
        let queries = Tensor([
            PoolSamples.row(8, 0) + PoolSamples.row(8, 1),
            PoolSamples.row(9, 0) + PoolSamples.row(9, 1),
        ])
        let paged = PagedRows([
            AttentionSpan(rows: 0..<2, firstPosition: 88, pageTable: pages)
        ])
        let results = [coded, plain].map { pool in
            let output = Tensor(rows: 0, columns: 2 * PoolKind.latentWidth)
            pool.view(of: Self.layer).attend(
                queries, paged: paged, headCount: 2, latentWidth: PoolKind.latentWidth,
                scale: 0.1, into: output, on: Self.compute)
            return output.values().map(\.bitPattern)
        }
        #expect(results[0] == results[1])
        #expect(Set(results[0]).count > PoolKind.latentWidth)
    }
}

/// Sizes, and what does not fit.
@Suite struct LatentPoolSizeTests {
    @Test(arguments: PoolKind.all)
    func bytesAreThoseOfRowsTimesPagesTimesLayers(kind: PoolKind) throws {
        for (layers, pageCount) in [(0..<1, 1), (5..<9, 3), (60..<61, 1_000)] {
            let pool = try kind.pool(layers: layers, pageCount: pageCount)
            #expect(pool.pageCount == pageCount && pool.layers == layers)
            #expect(pool.bytesPerPage == layers.count * 64 * kind.rowByteCount)
            #expect(pool.byteCount == pageCount * pool.bytesPerPage)
        }
    }

    @Test(arguments: PoolKind.all)
    func aPopulatedPoolIsEmptyAndUsable(kind: PoolKind) throws {
        let pool = try kind.pool(pageCount: 40)
        try pool.populate()
        let view = pool.view(of: LayerIndex(2))
        for page in [0, 17, 39] {
            let row = view.row(position: 63, pageTable: [PageIndex(page)])
            #expect(row.allSatisfy { $0.bitPattern == 0 })
        }
        let numbers = PoolSamples.row(1, 1)
        view.write(
            Tensor([numbers]),
            spans: [AttentionSpan(rows: 0..<1, firstPosition: 63, pageTable: [PageIndex(39)])],
            on: ComputePool(threadCount: 1))
        #expect(
            try view.row(position: 63, pageTable: [PageIndex(39)])
                == PoolSamples.stored(numbers, kind.form))
    }

    /// The memory is promised at once and counted before it is taken.
    @Test(arguments: LatentForm.allCases)
    func aPoolThatThisMachineCannotHoldIsRefusedWithItsSum(form: LatentForm) throws {
        let kind = PoolKind(form: form, hasIndexKeys: true)
        let pageCount = (1 << 42) / (2 * 64 * kind.rowByteCount)
        let refusal = try #require(throws: Refusal.self) {
            try kind.pool(pageCount: pageCount).populate()
        }
        #expect(refusal.subject == "latent cache")
        #expect(refusal.description.contains(" bytes"), "\(refusal)")
    }

    @Test(arguments: LatentForm.allCases)
    func sizesBeyondAllCountingAreRefused(form: LatentForm) {
        let kind = PoolKind(form: form, hasIndexKeys: false)
        let refusal = #expect(throws: Refusal.self) {
            try kind.pool(layers: 0..<1 << 40, pageCount: Int(Int32.max))
        }
        #expect(refusal?.subject == "latent cache")
    }

    private static let plain = """
        {"architectures": ["DeepseekV3ForCausalLM"], "model_type": "deepseek_v3",
        "vocab_size": 64, "hidden_size": 48, "intermediate_size": 80, "moe_intermediate_size": 24,
        "num_hidden_layers": 4, "first_k_dense_replace": 2, "num_attention_heads": 3,
        "q_lora_rank": 20, "kv_lora_rank": 24, "qk_nope_head_dim": 12, "qk_rope_head_dim": 8,
        "v_head_dim": 10, "n_routed_experts": 8, "n_shared_experts": 1, "num_experts_per_tok": 2,
        "n_group": 4, "topk_group": 2, "topk_method": "noaux_tc", "scoring_func": "sigmoid",
        "rope_theta": 10000, "max_position_embeddings": 1280, "rms_norm_eps": 1e-6,
        "bos_token_id": 0, "eos_token_id": 1}
        """

    private func model(isSparse: Bool) throws -> ModelConfiguration {
        let keys =
            #""model_type": "deepseek_v32", "index_n_heads": 5, "index_head_dim": 16, "#
            + #""index_topk": 24,"#
        let json = Self.plain.split(separator: #""model_type": "deepseek_v3","#)
        return try ModelConfiguration(
            json: Array((isSparse ? json.joined(separator: keys) : Self.plain).utf8))
    }

    @Test(arguments: LatentForm.allCases, [false, true])
    func aPoolForASliceHasTheSizeThatTheModelSays(form: LatentForm, isSparse: Bool) throws {
        let model = try model(isSparse: isSparse)
        let slice = Slice(layers: 1..<3, holdsEmbedding: false, holdsHead: false)
        let pool = try LatentPool(
            configuration: model, slice: slice, pageCount: 7, form: form)
        #expect(pool.byteCount == 7 * 64 * 2 * form.positionByteCount(of: model))
        #expect(pool.rowWidth == 32 && pool.indexKeyWidth == (isSparse ? 16 : 0))
        #expect(pool.fits(model))
        #expect(try !pool.fits(self.model(isSparse: !isSparse)))
        #expect(try !LatentPool(layers: 1..<3, pageCount: 1, rowWidth: 33).fits(model))
    }
}
