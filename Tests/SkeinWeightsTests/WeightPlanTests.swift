import SkeinCore
import Testing

@testable import SkeinWeights

@Suite("WeightPlan")
struct WeightPlanTests {
    private func model() throws -> ModelConfiguration {
        try ModelConfiguration(json: Array(JSONValue.object(Draft.fields).text.utf8))
    }

    @Test func theEndsOfTheModelBelongToTheirSlices() throws {
        let model = try model()
        let slices = Slice.even(layerCount: 2, count: 2)
        let plans = slices.map { WeightPlan(configuration: model, slice: $0) }
        #expect(plans[0].requirements.first?.name == "model.embed_tokens.weight")
        #expect(!plans[0].requirements.contains { $0.name == WeightName.head })
        #expect(plans[1].requirements.last?.name == "lm_head.weight")
        #expect(!plans[1].requirements.contains { $0.name == WeightName.embedding })
        #expect(plans[0].requirements.allSatisfy { !$0.name.contains("layers.1.") })
        let both = WeightPlan(configuration: model, slices: slices)
        #expect(
            both.requirements.count == plans[0].requirements.count + plans[1].requirements.count)
    }

    @Test func expertsElsewhereAreNotPlannedAndThoseOfAShardAlone() throws {
        let model = try model()
        let mixture = try #require(model.layerIsMixture.firstIndex(of: true))
        let experts = 0..<(try #require(model.routing?.expertCount))
        let slice = Slice(layers: 0..<2, holdsEmbedding: true, holdsHead: true)
        func names(_ plan: WeightPlan) -> Set<String> { Set(plan.requirements.map(\.name)) }
        let whole = names(WeightPlan(configuration: model, slices: [slice]))
        let stage = names(
            WeightPlan(
                configuration: model, slices: [slice], held: HeldExperts(ranges: [mixture: []])))
        let host = names(
            WeightPlan(
                configuration: model, slices: [], held: HeldExperts(ranges: [mixture: [experts]])))
        #expect(stage.union(host) == whole && stage.isDisjoint(with: host))
        #expect(host.count == 3 * experts.count)
        let first = names(
            WeightPlan(
                configuration: model, slices: [], held: HeldExperts(ranges: [mixture: [0..<1]])))
        #expect(first.count == 3 && first.allSatisfy { $0.contains(".experts.0.") })
    }

    @Test func anOverlapIsPlannedOnce() throws {
        let model = try model()
        let whole = WeightPlan.whole(model)
        let slice = Slice(layers: 0..<2, holdsEmbedding: true, holdsHead: true)
        let twice = WeightPlan(configuration: model, slices: [slice, slice])
        #expect(twice.requirements == whole.requirements)
    }

    @Test func scaleShapesCountPartialBlocks() {
        let blocks = ModelConfiguration.Float8Blocks(rowCount: 128, columnCount: 128)
        #expect(WeightRequirement("a", [576, 7_168]).scaleShape(blocks) == [5, 56])
        #expect(WeightRequirement("a", [1, 129]).scaleShape(blocks) == [1, 2])
    }

    /// ``Checkpoint/matrix(_:rows:columns:)`` knows by the name alone what the plan knows.
    @Test(arguments: Golden.oracleCases)
    func namesTellWhatMayBeQuantized(_ name: String) throws {
        let model = try Checkpoint.open(Golden.folder(name)).configuration
        var requirements = WeightPlan.whole(model).requirements
        for index in 0..<model.nextTokenLayerCount {
            requirements += WeightPlan.nextTokenLayer(index, of: model)
        }
        for requirement in requirements where requirement.shape.count == 2 {
            #expect(
                WeightName.isQuantizable(requirement.name) == requirement.isQuantizable,
                "\(requirement.name)")
        }
    }

    @Test(arguments: [
        "model.layers.1.mlp.experts.-2.gate_proj.weight",
        "model.layers.1.mlp.experts.2.gate_proj.weight.x", "model.layers.x.mlp.experts.2.gate_proj",
        "model.layers.1.mlp.experts.gate_up_proj", "model.layers.1.mlp.experts.2.o_proj.weight", "",
    ])
    func onlyExpertsAreLookedForInFusedTensors(_ name: String) {
        #expect(FusedExpertName(name) == nil)
    }
}
