/// Routed experts that a node holds for stages, as reports have them; both ends are included.
struct ReportedExperts: Encodable {
    let firstLayer: Int
    let lastLayer: Int
    let firstExpert: Int
    let lastExpert: Int

    init(layers: Range<Int>, experts: Range<Int>) {
        firstLayer = layers.lowerBound
        lastLayer = layers.upperBound - 1
        firstExpert = experts.lowerBound
        lastExpert = experts.upperBound - 1
    }
}
