import SkeinCore
import Synchronization

/// A bounded queue between those who bring messages and the one task that reads them.
///
/// Messages are never dropped: a task that brings one suspends while there is no room, and a socket
/// thread asks `hasRoom` first and leaves messages in the socket, so that the pressure reaches the
/// sender.
final class Mailbox: Sendable {
    private struct Waiting {
        let ticket: UInt64
        let arrival: Arrival
        let sender: CheckedContinuation<LinkError.Reason?, Never>
    }

    private struct Reader {
        let ticket: UInt64
        let continuation: CheckedContinuation<Arrival?, Never>
    }

    private struct State {
        var arrivals: [Arrival] = []
        var takenCount = 0
        var byteCount = 0
        var reader: Reader?
        var waiting: [Waiting] = []
        var nextTicket: UInt64 = 0
        var isClosed = false

        var messageCount: Int { arrivals.count - takenCount }

        mutating func append(_ arrival: Arrival) {
            arrivals.append(arrival)
            byteCount += arrival.byteCount
        }

        mutating func take() -> Arrival? {
            guard messageCount > 0 else { return nil }
            let arrival = arrivals[takenCount]
            takenCount += 1
            byteCount -= arrival.byteCount
            // Taken messages leave the array in blocks, so that taking one costs nothing.
            if takenCount == arrivals.count || takenCount == Limits.linkMessagesMax {
                arrivals.removeFirst(takenCount)
                takenCount = 0
            } else {
                arrivals[takenCount - 1] = Arrival(frames: [], peerKey: nil, peer: "")
            }
            return arrival
        }
    }

    private let messagesMax: Int
    private let bytesMax: Int
    private let onRoom: @Sendable () -> Void
    private let state = Mutex(State())

    /// - Parameter onRoom: called after a message was taken from a full mailbox.
    init(
        messagesMax: Int = Limits.linkMessagesMax, bytesMax: Int = Limits.inboxBytesMax,
        onRoom: @escaping @Sendable () -> Void = {}
    ) {
        self.messagesMax = messagesMax
        self.bytesMax = bytesMax
        self.onRoom = onRoom
    }

    /// Whether one more message may come; a single one of any size fits into an empty mailbox.
    var hasRoom: Bool { state.withLock { hasRoom($0) } }

    private func hasRoom(_ state: State) -> Bool {
        state.messageCount < messagesMax && state.byteCount < bytesMax
    }

    /// Adds a message for which there was room.
    func offer(_ arrival: Arrival) {
        let reader = state.withLock { state -> CheckedContinuation<Arrival?, Never>? in
            if state.isClosed { return nil }
            if let reader = state.reader.take() { return reader.continuation }
            state.append(arrival)
            return nil
        }
        reader?.resume(returning: arrival)
    }

    /// Adds a message, waiting for room; returns why it could not, or `nil`.
    func put(_ arrival: Arrival) async -> LinkError.Reason? {
        let ticket = newTicket()
        return await withTaskCancellationHandler {
            await withCheckedContinuation { sender in
                let waiting = Waiting(ticket: ticket, arrival: arrival, sender: sender)
                settle(enqueue(waiting))
                if Task.isCancelled { cancelPut(ticket) }
            }
        } onCancel: {
            cancelPut(ticket)
        }
    }

    /// The next message; `nil` once the mailbox is closed and empty, or the task is cancelled.
    func next() async -> Arrival? {
        let ticket = newTicket()
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                settle(enqueue(Reader(ticket: ticket, continuation: continuation)))
                if Task.isCancelled { cancelNext(ticket) }
            }
        } onCancel: {
            cancelNext(ticket)
        }
    }

    /// Takes no more messages; those inside can still be read.
    func close() {
        let (reader, waiting) = state.withLock { state in
            state.isClosed = true
            let waiting = state.waiting
            state.waiting = []
            return (state.reader.take(), waiting)
        }
        reader?.continuation.resume(returning: nil)
        for entry in waiting { entry.sender.resume(returning: .closed) }
    }

    // MARK: Rooms

    /// Whom to wake once the lock is released.
    private enum Wakening {
        case nobody
        case sender(CheckedContinuation<LinkError.Reason?, Never>, LinkError.Reason?)
        case reader(
            CheckedContinuation<Arrival?, Never>, Arrival?, senders: [Waiting] = [],
            hadRoom: Bool = true)
        case both(CheckedContinuation<Arrival?, Never>, Waiting)
    }

    private func settle(_ wakening: Wakening) {
        switch wakening {
        case .nobody: break
        case .sender(let sender, let reason): sender.resume(returning: reason)
        case .both(let reader, let entry):
            reader.resume(returning: entry.arrival)
            entry.sender.resume(returning: nil)
        case .reader(let reader, let arrival, let senders, let hadRoom):
            reader.resume(returning: arrival)
            for entry in senders { entry.sender.resume(returning: nil) }
            if !hadRoom { onRoom() }
        }
    }

    private func enqueue(_ entry: Waiting) -> Wakening {
        state.withLock { state in
            if state.isClosed { return .sender(entry.sender, .closed) }
            if let reader = state.reader.take() { return .both(reader.continuation, entry) }
            if state.waiting.isEmpty && hasRoom(state) {
                state.append(entry.arrival)
                return .sender(entry.sender, nil)
            }
            state.waiting.append(entry)
            return .nobody
        }
    }

    private func enqueue(_ reader: Reader) -> Wakening {
        state.withLock { state in
            precondition(state.reader == nil, "two tasks read one inbox")
            let hadRoom = hasRoom(state)
            guard let arrival = state.take() else {
                if state.isClosed { return .reader(reader.continuation, nil) }
                state.reader = reader
                return .nobody
            }
            var admitted: [Waiting] = []
            while !state.waiting.isEmpty && hasRoom(state) {
                let entry = state.waiting.removeFirst()
                state.append(entry.arrival)
                admitted.append(entry)
            }
            return .reader(
                reader.continuation, arrival, senders: admitted, hadRoom: hadRoom)
        }
    }

    private func cancelPut(_ ticket: UInt64) {
        let entry = state.withLock { state -> Waiting? in
            guard let place = state.waiting.firstIndex(where: { $0.ticket == ticket }) else {
                return nil
            }
            return state.waiting.remove(at: place)
        }
        entry?.sender.resume(returning: .cancelled)
    }

    private func cancelNext(_ ticket: UInt64) {
        let reader = state.withLock { state in
            state.reader?.ticket == ticket ? state.reader.take() : nil
        }
        reader?.continuation.resume(returning: nil)
    }

    private func newTicket() -> UInt64 {
        state.withLock { state in
            state.nextTicket += 1
            return state.nextTicket
        }
    }
}

extension Arrival {
    /// Bytes of all frames.
    var byteCount: Int { frames.reduce(0) { $0 + $1.byteCount } }
}
