import SkeinCore

/// What the nodes of a simulated cluster compute, layer by layer, as a placement changes nothing of
/// it.
enum SimulatedModel {
    /// What a layer makes of a row, before its experts.
    static func row(_ input: UInt64, after before: UInt64) -> UInt64 {
        mix(input &* 31 &+ before &* 131 &+ 1)
    }

    /// The expert that a row chooses.
    static func choice(_ row: UInt64, expertCount: Int) -> Int {
        Int(row % UInt64(expertCount))
    }

    /// What an expert makes of a row.
    static func output(of expert: Int, layer: Int, _ row: UInt64) -> UInt64 {
        mix(row &+ UInt64(layer * 1_000 + expert))
    }

    /// What a request gives when nobody else is there and nothing fails.
    ///
    /// - Parameter expertCounts: routed experts of every layer, 0 for a dense one.
    static func alone(
        prompt: [TokenID], newTokensMax: Int, seed: UInt64, expertCounts: [Int]
    ) -> [TokenID] {
        var before = [UInt64](repeating: 0, count: expertCounts.count)
        var last: UInt64 = 0
        func run(_ token: TokenID) {
            var input = UInt64(token.rawValue)
            for (layer, count) in expertCounts.enumerated() {
                before[layer] = row(input, after: before[layer])
                input = before[layer]
                if count > 0 {
                    input = output(of: choice(input, expertCount: count), layer: layer, input)
                }
            }
            last = input
        }
        prompt.forEach(run)
        var tokens: [TokenID] = []
        while tokens.count < newTokensMax {
            let token = FakeModel.nextToken(last, seed: seed)
            tokens.append(token)
            run(token)
        }
        return tokens
    }
}

extension Array {
    /// Some element, the same for the same number.
    func randomly(by number: UInt64) -> Element? {
        isEmpty ? nil : self[Int(mix(number) % UInt64(count))]
    }
}
