import SkeinCore
import SkeinWeights
import Testing

@testable import SkeinPlanning

@Suite struct ClusterPlannerTests {
    private func plan(
        _ model: ModelConfiguration, _ hosts: PlannedHosts, _ wish: PlanWish
    ) throws -> ClusterPlan {
        try ClusterPlanner(configuration: model, hosts: hosts, wish: wish).plan()
    }

    /// Every layer on one stage, every expert of every MoE layer somewhere, nothing beyond memory.
    private func check(_ plan: ClusterPlan) {
        let model = plan.configuration
        #expect(plan.ring.slices.flatMap { Array($0.layers) } == Array(0..<model.layerCount))
        for node in plan.nodes {
            #expect(node.memory.totalBytes <= plan.hosts.hosts[node.host].memoryBytes)
        }
        guard !plan.ring.shards.isEmpty, let routing = model.routing else { return }
        for layer in 0..<model.layerCount where model.layerIsMixture[layer] {
            let held = plan.ring.shards.filter { $0.layers.contains(layer) }
                .flatMap { Array($0.experts) }
            #expect(held.sorted() == Array(0..<routing.expertCount), "layer \(layer)")
        }
        let dense = plan.ring.shards.flatMap { Array($0.layers) }
            .filter { !model.layerIsMixture[$0] }
        #expect(dense.isEmpty)
    }

    @Test func fasterHostsGetMoreLayers() throws {
        var hosts = try SampleHosts.equal(3, gigabytes: 64)
        hosts.hosts[1] = try SampleHosts.host(1, gigabytes: 64, speed: 3)
        let wish = PlanWish(
            positionCount: 1_024, sequenceCount: 8, kind: .linear, nodeCount: 3,
            expertHostCount: 0)
        let plan = try plan(SampleModel.bench(), hosts, wish)
        check(plan)
        let counts = plan.ring.slices.map(\.layers.count)
        #expect(counts[1] > counts[0] && counts[1] > counts[2])
    }

    @Test func aHostWithLittleMemoryGetsFewerLayers() throws {
        var hosts = try SampleHosts.equal(2, gigabytes: 64)
        hosts.hosts[0] = try SampleHosts.host(0, gigabytes: 1.5)
        let wish = PlanWish(
            positionCount: 1_024, sequenceCount: 1, promptTokenCount: 64, nodeCount: 2,
            expertHostCount: 0)
        let plan = try plan(SampleModel.bench(), hosts, wish)
        check(plan)
        #expect(plan.ring.slices[0].layers.count < 3)
    }

    @Test(arguments: LatentForm.allCases)
    func memoryIsTheSumThatANodeChecks(form: LatentForm) throws {
        let model = try SampleModel.bench()
        var wish = PlanWish(
            positionCount: 2_048, sequenceCount: 4, kind: .vfold, nodeCount: 2,
            expertHostCount: 0)
        wish.serving.latentForm = form
        let plan = try plan(model, try SampleHosts.equal(2, gigabytes: 64), wish)
        for node in plan.nodes {
            let expected = ModelArithmetic(model, latents: form).memory(
                of: node.slices, pageCount: 128, activationRowCount: 256)
            #expect(node.memory == expected)
        }
    }

    @Test func roundTripsOverSlowLinksFavourTheLine() throws {
        let hosts = try SampleHosts.equal(4, gigabytes: 64, latencyMilliseconds: 20)
        let wish = PlanWish(
            positionCount: 1_024, sequenceCount: 1, nodeCount: 4, expertHostCount: 0)
        let plan = try plan(SampleModel.bench(), hosts, wish)
        #expect(plan.ring.kind == .linear)
        #expect(plan.reason.contains("than vfold's"))
        // One stream waits for every hop: three there, one back.
        let tpot = plan.simulated.timePerTokenSeconds
        #expect(tpot > 0.08 && tpot < 0.1)
    }

    @Test func expertsGoToHostsThatAreThereForThem() throws {
        let model = try SampleModel.bench()
        var hosts = try SampleHosts.equal(4, gigabytes: 64)
        for index in 2...3 { hosts.hosts[index].role = .experts }
        for index in 0...1 { hosts.hosts[index].role = .stages }
        let wish = PlanWish(positionCount: 1_024, sequenceCount: 16, expertHostCount: 2)
        let plan = try plan(model, hosts, wish)
        check(plan)
        #expect(plan.ring.nodeHosts == [0, 1] && plan.ring.expertHosts == [2, 3])
        #expect(plan.ring.serving.stepsAtOnce >= 2)
    }

    @Test func unequalHostsOfExpertsServeUnequalParts() throws {
        let model = try SampleModel.bench()
        var hosts = try SampleHosts.equal(3, gigabytes: 64)
        hosts.hosts[0].role = .stages
        hosts.hosts[1] = try SampleHosts.host(1, gigabytes: 64, speed: 3, role: .experts)
        hosts.hosts[2].role = .experts
        let wish = PlanWish(positionCount: 1_024, sequenceCount: 4, expertHostCount: 2)
        let plan = try plan(model, hosts, wish)
        check(plan)
        func count(_ host: Int) -> Int {
            plan.ring.shards.filter { $0.host == host }
                .reduce(0) { $0 + $1.layers.count * $1.experts.count }
        }
        #expect(Double(count(1)) > 2.5 * Double(count(2)))
    }

    @Test func whatDoesNotFitIsRefusedWithTheSumAndTheWayOut() throws {
        let model = try SampleModel.deepSeekV3()
        let hosts = try SampleHosts.equal(4, gigabytes: 128)
        let refusal = #expect(throws: Refusal.self) {
            try plan(model, hosts, PlanWish(positionCount: 8_192, sequenceCount: 16))
        }
        let line = refusal?.description ?? ""
        // The last of the ring has the head and the prediction layer beside its layers.
        #expect(line.hasPrefix("plan: does not fit by 51.1 GB on node h3"), "\(line)")
        #expect(line.contains("2 more hosts like h3"))
        // And with them it does.
        let more = try SampleHosts.equal(6, gigabytes: 128)
        check(try plan(model, more, PlanWish(positionCount: 8_192, sequenceCount: 16)))
    }

    @Test func aShorterContextOrFewerSequencesMayMakeItFit() throws {
        let model = try SampleModel.bench()
        let hosts = try SampleHosts.equal(1, gigabytes: 12)
        let wish = PlanWish(positionCount: 65_536, sequenceCount: 8)
        let refusal = #expect(throws: Refusal.self) { try plan(model, hosts, wish) }
        let words = (refusal?.description ?? "").split(separator: " ")
        let place = try #require(words.firstIndex { $0.hasPrefix("positions") })
        let count = try #require(Int(words[place - 1]))
        var shorter = wish
        shorter.serving.positionCount = count
        check(try plan(model, hosts, shorter))
        shorter.serving.positionCount = count + Limits.pageRowCount
        #expect(throws: Refusal.self) { try plan(model, hosts, shorter) }
    }

    @Test func aWishBeyondTheModelIsRefused() throws {
        let model = try SampleModel.bench()
        let hosts = try SampleHosts.equal(1, gigabytes: 6)
        #expect(throws: Refusal.self) {
            try plan(model, hosts, PlanWish(positionCount: 163_841, sequenceCount: 1))
        }
        #expect(throws: Refusal.self) {
            try plan(model, hosts, PlanWish(positionCount: 512, sequenceCount: 1))
        }
    }

    /// A shape, and the words of the one line that says why there is no such plan.
    struct Shape: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var hostCount = 2
        var roles: [HostRole] = []
        var kind: PlacementKind?
        var nodeCount: Int?
        var expertHostCount: Int?
        let reason: String
    }

    @Test(arguments: [
        Shape(
            testDescription: "more ring nodes than hosts", hostCount: 1, nodeCount: 2,
            reason: "asks for 2 ring nodes, the hosts file has 1"),
        Shape(
            testDescription: "more ring nodes than hosts that may hold a slice",
            roles: [.any, .experts], nodeCount: 2,
            reason: "asks for 2 ring nodes, the hosts file has 1 that may hold a slice"),
        Shape(
            testDescription: "hosts of experts alone", roles: [.experts, .experts],
            reason: "asks for 1 ring node, the hosts file has 0 that may hold a slice"),
        Shape(
            testDescription: "hosts of stages that would be left out", roles: [.stages, .stages],
            nodeCount: 1, reason: "asks for 1 ring node, the hosts file has 2 of role 'stages'"),
        Shape(
            testDescription: "more stages than layers", hostCount: 9, nodeCount: 9,
            reason: "asks for 9 ring nodes with 9 linear stages, the model has 8 layers"),
        Shape(
            testDescription: "a V of more stages than layers", hostCount: 5, kind: .vfold,
            nodeCount: 5,
            reason: "asks for 5 ring nodes with 10 vfold stages, the model has 8 layers"),
        Shape(
            testDescription: "more expert hosts than are left", nodeCount: 1, expertHostCount: 2,
            reason: "asks for 2 expert hosts beside 1 ring node, the hosts file has 2 hosts"),
        Shape(
            testDescription: "expert hosts where all hold stages", roles: [.stages, .stages],
            expertHostCount: 1,
            reason: "asks for 1 expert host beside 2 ring nodes, the hosts file has 2 hosts"),
    ])
    func aShapeForWhichHostsOrLayersAreTooFewIsRefusedWithBothNumbers(_ shape: Shape) throws {
        var hosts = try SampleHosts.equal(shape.hostCount, gigabytes: 64)
        for (index, role) in shape.roles.enumerated() { hosts.hosts[index].role = role }
        let wish = PlanWish(
            positionCount: 1_024, sequenceCount: 1, kind: shape.kind, nodeCount: shape.nodeCount,
            expertHostCount: shape.expertHostCount)
        let refusal = #expect(throws: Refusal.self) { try plan(SampleModel.bench(), hosts, wish) }
        #expect(refusal?.description == "plan: \(shape.reason)")
    }

    /// No lack of memory is ever told as a negative one.
    @Test(arguments: PlacementKind.allCases, [1, 4, 5, 6, 7, 9])
    func everyShapeIsPlannedOrRefusedForWhatItLacks(kind: PlacementKind, nodeCount: Int) throws {
        let expertHostCount = nodeCount % 3
        let hosts = try SampleHosts.equal(6, gigabytes: 64)
        let wish = PlanWish(
            positionCount: 1_024, sequenceCount: 1, kind: kind, nodeCount: nodeCount,
            expertHostCount: expertHostCount)
        let planner = try ClusterPlanner(
            configuration: SampleModel.bench(), hosts: hosts, wish: wish)
        do throws(Refusal) {
            check(try planner.plan())
        } catch {
            #expect(error.reason.contains("asks for"), "\(error)")
        }
    }

    @Test func hostsOfOneMachineShareItsCores() throws {
        let model = try SampleModel.bench()
        let wish = PlanWish(
            positionCount: 1_024, sequenceCount: 8, kind: .linear, nodeCount: 2,
            expertHostCount: 0)
        var hosts = try SampleHosts.equal(2, gigabytes: 64)
        let apart = try plan(model, hosts, wish)
        for index in 0...1 { hosts.hosts[index].machine = "lab" }
        hosts.machineCoreCounts = ["lab": 32]
        let together = try plan(model, hosts, wish)
        let ratio = together.simulated.tokensPerSecond / apart.simulated.tokensPerSecond
        #expect(ratio > 0.4 && ratio < 0.65, "\(ratio)")
    }
}
