extension TextPattern {
    /// A place to go back to when an attempt fails.
    struct Retreat {
        var step: Int
        var position: Int

        /// The matcher may also go on from any position down to this one.
        var least: Int
    }

    /// The end of the match that begins at a position, if there is one.
    ///
    /// - Parameters:
    ///   - range: What the pattern sees: nothing exists before or after it.
    ///   - retreats: Working memory, empty before and after.
    func match(
        _ text: ScalarText, at position: Int, within range: Range<Int>, retreats: inout [Retreat]
    ) -> Int? {
        run(text, step: 0, position: position, within: range, retreats: &retreats)
    }

    private func run(
        _ text: ScalarText, step: Int, position: Int, within range: Range<Int>,
        retreats: inout [Retreat]
    ) -> Int? {
        let floor = retreats.count
        var step = step
        var position = position
        while true {
            var isAlive = true
            switch program[step] {
            case .take(let set):
                isAlive = position < range.upperBound && contains(set, text, position)
                position += 1
                step += 1
            case .takeMany(let set, let least, let most, let givesBack):
                let start = position
                let limit = most > range.upperBound - start ? range.upperBound : start + most
                while position < limit, contains(set, text, position) { position += 1 }
                step += 1
                isAlive = position - start >= least
                if isAlive, givesBack, position - start > least {
                    let last = position - 1
                    retreats.append(Retreat(step: step, position: last, least: start + least))
                }
            case .tryFirst(let otherwise):
                retreats.append(Retreat(step: otherwise, position: position, least: position))
                step += 1
            case .jump(let target): step = target
            case .look(let end, let wanted):
                let found = run(
                    text, step: step + 1, position: position, within: range, retreats: &retreats)
                isAlive = (found != nil) == wanted
                step = end
            case .lineStart:
                isAlive = position == range.lowerBound || text.values[position - 1] == 0x0A
                step += 1
            case .lineEnd:
                isAlive = position == range.upperBound || text.values[position] == 0x0A
                step += 1
            case .matched:
                retreats.removeLast(retreats.count - floor)
                return position
            }
            if isAlive { continue }
            guard retreats.count > floor, let retreat = retreats.popLast() else { return nil }
            (step, position) = (retreat.step, retreat.position)
            if retreat.position > retreat.least {
                let last = retreat.position - 1
                retreats.append(Retreat(step: step, position: last, least: retreat.least))
            }
        }
    }

    @inline(__always)
    func contains(_ set: Int, _ text: ScalarText, _ position: Int) -> Bool {
        sets[set].contains(text.values[position], text.classes[position])
    }
}
