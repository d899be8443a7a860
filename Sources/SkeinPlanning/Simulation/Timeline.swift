/// A time line of events; events of one moment happen in the order in which they were planned.
public struct Timeline<Event> {
    private var heap: [(time: UInt64, order: Int, event: Event)] = []
    private var planned = 0

    /// An empty time line.
    public init() {}

    /// Whether nothing is left to happen.
    public var isEmpty: Bool { heap.isEmpty }

    /// Plans an event; the unit of time is the caller's.
    public mutating func plan(_ event: Event, at time: UInt64) {
        heap.append((time, planned, event))
        planned += 1
        var child = heap.count - 1
        while child > 0, isEarlier(child, (child - 1) / 2) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// Takes the earliest event off the line.
    public mutating func next() -> (time: UInt64, event: Event)? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            var place = 0
            while true {
                let left = 2 * place + 1
                guard left < heap.count else { break }
                let right = left + 1
                let child = right < heap.count && isEarlier(right, left) ? right : left
                guard isEarlier(child, place) else { break }
                heap.swapAt(child, place)
                place = child
            }
        }
        return (first.time, first.event)
    }

    private func isEarlier(_ left: Int, _ right: Int) -> Bool {
        (heap[left].time, heap[left].order) < (heap[right].time, heap[right].order)
    }
}
