internal import SkeinTensor

/// How a bench times one kernel, and what it feeds it.
enum KernelTiming {
    /// Seconds of one turn: the median of at least five, over at least `secondsMin`, and no more
    /// turns once `secondsMax` have gone by.
    static func median(
        over secondsMin: Double, atMost secondsMax: Double, _ body: (_ turn: Int) -> Void
    ) -> Double {
        let clock = ContinuousClock()
        body(0)
        var times: [Double] = []
        var total = 0.0
        while times.count < 5 || (total < secondsMin && times.count < 2_000) {
            let seconds = clock.measure { body(times.count + 1) } / .seconds(1)
            times.append(seconds)
            total += seconds
            if total > secondsMax { break }
        }
        return times.sorted()[times.count / 2]
    }

    /// Rows of numbers from -0.5 to 0.5, the same in every run.
    static func input(rows: Int, columns: Int) -> Tensor {
        let tensor = Tensor(rows: rows, columns: columns)
        var numbers = SeededNumbers(seed: 2)
        for row in 0..<rows {
            tensor.setRow(row, to: (0..<columns).map { _ in Float(numbers.uniform()) - 0.5 })
        }
        return tensor
    }
}
