import Foundation
import SkeinCache
import SkeinCore
import SkeinTensor

// Keys and values expanded for every head, one number after the other, in double precision: the
// definition that the absorbed form is held against. Slow.
extension LatentAttention {
    /// Attends from `scratch.queries`; leaves `[row, head * value]` in `scratch.mixedValues`.
    func attendNaive(step: Step, latents: LatentView, scratch: StepScratch) {
        scratch.mixedValues.resize(rows: step.rowCount)
        let up = (0..<latentUp.rowCount).map { latentUp.decodedRow($0).map(Double.init) }
        for span in step.spans {
            let cached = (0..<span.firstPosition + span.rows.count).map {
                latents.row(position: $0, pageTable: span.pageTable).map(Double.init)
            }
            for head in 0..<shape.headCount {
                let expanded = expand(cached, head: head, up: up)
                for (offset, row) in span.rows.enumerated() {
                    let first = head * shape.query
                    let query = scratch.queries.row(row)[first..<first + shape.query]
                    let position = span.firstPosition + offset
                    let seen =
                        scratch.selection?.positions(row: row, position: position)
                        ?? Array(0...position)
                    let mixed = mix(
                        query: query.map(Double.init), keys: seen.map { expanded.keys[$0] },
                        values: seen.map { expanded.values[$0] })
                    for column in 0..<shape.value {
                        scratch.mixedValues[row, head * shape.value + column] = Float(
                            mixed[column])
                    }
                }
            }
        }
    }

    /// The keys (nope, then the shared rope key) and the values of one head.
    private func expand(
        _ cached: [[Double]], head: Int, up: [[Double]]
    ) -> (keys: [[Double]], values: [[Double]]) {
        let first = head * (shape.nope + shape.value)
        func project(_ rows: Range<Int>, _ latent: ArraySlice<Double>) -> [Double] {
            rows.map { row in zip(up[first + row], latent).reduce(0) { $0 + $1.0 * $1.1 } }
        }
        let keys = cached.map {
            project(0..<shape.nope, $0[..<shape.latent]) + $0[shape.latent...]
        }
        let values = cached.map {
            project(shape.nope..<shape.nope + shape.value, $0[..<shape.latent])
        }
        return (keys, values)
    }

    /// The values weighed by the softmax of the scores.
    private func mix(
        query: [Double], keys: [[Double]], values: [[Double]]
    ) -> [Double] {
        let scores = keys.map { key in
            zip(query, key).reduce(0) { $0 + $1.0 * $1.1 } * rotary.softmaxScale
        }
        let largest = scores.max() ?? 0
        let weights = scores.map { exp($0 - largest) }
        let sum = weights.reduce(0, +)
        return (0..<shape.value).map { column in
            zip(weights, values).reduce(0) { $0 + $1.0 * $1.1[column] } / sum
        }
    }
}
