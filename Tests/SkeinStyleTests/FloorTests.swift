import Testing

/// The one law of the house: a room opens only rooms on lower floors, and only those it declares.
@Suite struct FloorTests {
    /// The floor of every room (Architecture.md); a new room gets its floor here first.
    private static let floors: [String: Int] = [
        "CZeroMQ": 0, "CProtobufC": 0, "COpenBLAS": 0, "CSodium": 0,
        "CSkeinKernels": 1, "CSkeinProto": 1, "SkeinCore": 1,
        "SkeinTensor": 2, "SkeinWire": 2, "SkeinTransport": 2,
        "SkeinText": 3, "SkeinScheduling": 3, "SkeinMembership": 3, "SkeinTelemetry": 3,
        "SkeinWeights": 3, "SkeinCache": 3, "SkeinDecoding": 3, "SkeinJournal": 3,
        "SkeinRollout": 3,
        "SkeinModel": 4, "SkeinPlanning": 4,
        "SkeinStage": 5, "SkeinCoordinator": 5, "SkeinReference": 5,
        "SkeinCluster": 6, "SkeinServer": 6, "SkeinBench": 6,
        "skein": 7,
    ]

    /// What stands behind the three doors, and who may open them.
    private static let doors = [
        "CSkeinKernels": "SkeinTensor", "COpenBLAS": "SkeinTensor", "CSodium": "SkeinTensor",
        "CSkeinProto": "SkeinWire", "CZeroMQ": "SkeinTransport",
    ]

    /// Modules of the toolchain.
    private static let toolchain: Set = [
        "Foundation", "FoundationEssentials", "FoundationNetworking", "Glibc", "Musl", "Darwin",
        "Dispatch",
        "Synchronization", "Testing", "Swift", "_Concurrency",
    ]

    private static let plan = HousePlan(
        SourceFile(path: "Package.swift", bytes: SourceTree.bytes("Package.swift")))

    @Test func everyRoomHasItsFloorAndStandsUnderIt() {
        #expect(!Self.plan.rooms.isEmpty)
        Finding.expectNone(Self.misplaced(Self.plan))
    }

    @Test func roomsOpenOnlyLowerOnes() {
        Finding.expectNone(Self.upward(Self.plan))
    }

    @Test func sourcesImportOnlyWhatTheirRoomDeclares() {
        Finding.expectNone(SourceTree.sources.flatMap { Self.undeclared($0, Self.plan) })
    }

    @Test func everyFolderOfSourcesIsARoom() {
        let rooms = Set(Self.plan.rooms.map(\.name))
        for name in SourceTree.names(in: "Sources") {
            #expect(rooms.contains(name), "Sources/\(name):1: is no room of Package.swift")
        }
    }

    @Test func theRulesFindWhatTheyShould() {
        let plan = HousePlan(
            SourceFile(
                path: "Package.swift",
                """
                let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
                // Floor 1: ground
                room("SkeinCore", ["SkeinStage"]),
                // Floor 3: single rooms
                room("SkeinWeights", ["SkeinCore", "CZeroMQ"], outside: [logging]),
                room("SkeinCache", ["SkeinWeights"]),
                room("SkeinStage"),
                room("Attic"),
                .executableTarget(name: "skein", dependencies: ["SkeinCore", logging]),
                // Tests
                tests("SkeinCoreTests", ["SkeinCore"]),
                """))
        #expect(plan.rooms.count == 7)
        #expect(Self.misplaced(plan).map(\.line) == [7, 8, 9])
        #expect(Self.upward(plan).map(\.line) == [3, 5, 5, 6])
        let imports = "import Foundation\npublic import SkeinCore\nimport Logging\nimport Yams\n"
        let file = SourceFile(path: "Sources/SkeinWeights/A.swift", imports)
        #expect(Self.undeclared(file, plan).map(\.line) == [4])
        let kind = SourceFile(path: "Sources/SkeinCache/A.swift", "import struct SkeinCore.Slice")
        #expect(Self.undeclared(kind, plan).count == 1)
    }

    // MARK: Rules

    private static func misplaced(_ plan: HousePlan) -> [Finding] {
        plan.rooms.filter { !$0.isTest }.compactMap { room in
            guard let floor = floors[room.name] else {
                return plan.finding(
                    room.line,
                    "\(room.name) has no floor; give it one in FloorTests and Architecture.md")
            }
            guard room.floor != floor else { return nil }
            return plan.finding(room.line, "\(room.name) belongs under '// Floor \(floor)'")
        }
    }

    private static func upward(_ plan: HousePlan) -> [Finding] {
        plan.rooms.filter { !$0.isTest }.flatMap { room in
            room.opens.compactMap { name -> Finding? in
                guard let floor = floors[name] else {
                    guard (floors[room.name] ?? 7) < 5 else { return nil }
                    return plan.finding(
                        room.line, "\(room.name) opens the outside package \(name) below floor 5")
                }
                guard floor < floors[room.name] ?? 7 else {
                    return plan.finding(
                        room.line, "\(room.name) opens \(name), which is on no lower floor")
                }
                guard let door = doors[name], door != room.name, name != "CProtobufC" else {
                    return nil
                }
                return plan.finding(room.line, "\(room.name) opens \(name); only \(door) may")
            }
        }
    }

    private static func undeclared(_ file: SourceFile, _ plan: HousePlan) -> [Finding] {
        guard file.isSwift, let room = plan.rooms.first(where: { $0.name == file.room }) else {
            return []
        }
        return file.tokens.indices.compactMap { index in
            guard let name = importedModule(file, index) else { return nil }
            let isKnown = toolchain.contains(name) || room.opens.contains(name)
            guard !isKnown, !(room.isTest && plan.products.contains(name)) else { return nil }
            return file.finding(
                file.tokens[index].line,
                "imports \(name), which \(room.name) does not declare in Package.swift")
        }
    }

    /// The module that an import statement names, where the token at `index` begins one.
    private static func importedModule(_ file: SourceFile, _ index: Int) -> String? {
        let token = file.tokens[index]
        guard token.kind == .word, token.text == "import", file.token(index - 1)?.text != "." else {
            return nil
        }
        let kinds: Set = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
        let next = file.token(index + 1)
        let isKind = next.map { kinds.contains($0.text) } ?? false
        return isKind ? file.token(index + 2)?.text : next?.text
    }
}
