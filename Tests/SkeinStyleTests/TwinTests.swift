import Testing

/// Every fast way has a slow twin, and a test holds them together.
@Suite struct TwinTests {
    @Test func everyVectorKernelHasItsScalarTwin() {
        Finding.expectNone(Self.lonelyKernels(SourceTree.paths))
    }

    @Test func everyKernelIsNamedInATest() {
        Finding.expectNone(Self.untested(SourceTree.paths, tests: Self.tests("SkeinTensorTests")))
    }

    @Test func absorbedAttentionHasItsNaiveTwinAndATest() {
        for path in SourceTree.paths where path.hasSuffix("+Absorbed.swift") {
            let twin = path.replacing("+Absorbed", with: "+Naive")
            #expect(SourceTree.exists(twin), "\(path):1: has no naive twin; write \(twin)")
            let words = Self.tests("SkeinModelTests").lowercased()
            let isNamed = words.contains("naive")
            #expect(isNamed, "\(path):1: no test in SkeinModelTests names the naive twin")
        }
    }

    @Test func theRulesFindWhatTheyShould() {
        let folder = "Sources/CSkeinKernels/"
        let pair = ["\(folder)a_f32_avx2.c", "\(folder)a_f32_scalar.c"]
        #expect(Self.lonelyKernels(pair).isEmpty)
        #expect(Self.lonelyKernels(pair + ["\(folder)b_avx512_vnni.c"]).count == 1)
        #expect(Self.untested(pair, tests: "the twins of a_f32 agree").isEmpty)
        #expect(Self.untested(pair, tests: "the twins of a_f16 agree").count == 1)
    }

    // MARK: Rules

    private static func kernels(_ paths: [String]) -> [(path: String, operation: String)] {
        paths.compactMap { path in
            guard path.hasPrefix("Sources/CSkeinKernels/"), path.hasSuffix(".c"),
                let suffix = path.firstRange(of: "_avx"),
                let slash = path.lastIndex(of: "/")
            else { return nil }
            return (path, String(path[path.index(after: slash)..<suffix.lowerBound]))
        }
    }

    private static func lonelyKernels(_ paths: [String]) -> [Finding] {
        let there = Set(paths)
        return kernels(paths).compactMap { path, operation in
            let folder = path.prefix(through: path.lastIndex(of: "/") ?? path.startIndex)
            let twin = "\(folder)\(operation)_scalar.c"
            guard !there.contains(twin) else { return nil }
            return Finding(path: path, line: 1, rule: "has no scalar twin; write \(twin)")
        }
    }

    private static func untested(_ paths: [String], tests: String) -> [Finding] {
        Set(kernels(paths).map(\.operation)).sorted().compactMap { operation in
            guard !tests.contains(operation) else { return nil }
            return Finding(
                path: "Sources/CSkeinKernels/\(operation)_scalar.c", line: 1,
                rule: "no test in SkeinTensorTests names '\(operation)'; "
                    + "name it in the comment of the test that holds its twins together")
        }
    }

    private static func tests(_ room: String) -> String {
        SourceTree.sources.filter { $0.room == room }.flatMap(\.lines).joined(separator: "\n")
    }
}
