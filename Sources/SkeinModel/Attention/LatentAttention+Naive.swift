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
        for span in step.spans {
            let cached = (0..<span.firstPosition + span.rows.count).map {
                latents.row(position: $0, pageTable: span.pageTable).map(Double.init)
            }
            for head in 0..<shape.headCount {
                let expanded = expand(cached, head: head)
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
        _ cached: [[Double]], head: Int
    ) -> (keys: [[Double]], values: [[Double]]) {
        let columns = (0..<shape.latent).map { keysUp.heads[head].decodedRow($0) }
        let keyRows = (0..<shape.nope).map { row in columns.map { Double($0[row]) } }
        let valueRows = (0..<shape.value).map {
            valuesUp.heads[head].decodedRow($0).map(Double.init)
        }
        func project(_ rows: [[Double]], _ latent: ArraySlice<Double>) -> [Double] {
            rows.map { row in zip(row, latent).reduce(0) { $0 + $1.0 * $1.1 } }
        }
        let keys = cached.map {
            project(keyRows, $0[..<shape.latent]) + $0[shape.latent...]
        }
        let values = cached.map { project(valueRows, $0[..<shape.latent]) }
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
