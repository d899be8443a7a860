import CZeroMQ
import SkeinCore
import Synchronization

/// A node's inbox for peers in other processes: a PULL socket with a thread of its own.
///
/// The thread leaves messages in the socket while the mailbox is full; then libzmq stops reading
/// from the connections, and the senders wait.
public final class ZeroMQInbox: Inbox {
    /// Where peers connect to, with the port that was really bound.
    public let address: String

    private let socket: ZeroMQSocket
    private let mailbox: Mailbox
    private let wake: WakePipe
    private let events: AsyncStream<LinkEvent>.Continuation
    private let isClosing = Atomic<Bool>(false)
    private let finished = Latch()
    private let settings: ZeroMQHub.Settings
    private let counter: TrafficCounter

    /// Takes over a bound socket and starts the thread, which alone touches it from now on.
    init(
        address: String, socket: ZeroMQSocket, settings: ZeroMQHub.Settings,
        counter: TrafficCounter, events: AsyncStream<LinkEvent>.Continuation
    ) {
        let wake = WakePipe()
        self.address = address
        self.socket = socket
        self.wake = wake
        self.events = events
        self.settings = settings
        self.counter = counter
        mailbox = Mailbox(
            messagesMax: settings.inboxMessagesMax, bytesMax: settings.inboxBytesMax,
            onRoom: { wake.signal() })
        SocketThread.start { [self] in run() }
    }

    /// The next message; `nil` once the inbox is closed and empty, or the task is cancelled.
    public func next() async -> Arrival? { await mailbox.next() }

    /// Unbinds the address; messages still in the socket are lost, those in the inbox are not.
    public func close() async {
        isClosing.store(true, ordering: .sequentiallyConsistent)
        wake.signal()
        await finished.wait()
    }

    private func run() {
        while true {
            wake.drain()
            if isClosing.load(ordering: .sequentiallyConsistent) { break }
            var items = [
                zmq_pollitem_t(
                    socket: nil, fd: wake.readEnd, events: Int16(ZMQ_POLLIN), revents: 0)
            ]
            if mailbox.hasRoom {
                items.append(
                    zmq_pollitem_t(
                        socket: socket.raw, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0))
            }
            _ = zmq_poll(&items, Int32(items.count), -1)
            takeAll()
        }
        socket.close()
        mailbox.close()
        finished.open()
    }

    private func takeAll() {
        while mailbox.hasRoom,
            let parts = socket.receive(
                framesMax: Limits.framesMax, bytesMax: settings.messageBytesMax)
        {
            if let trouble = parts.trouble {
                let peer = parts.peerKey ?? parts.peer
                events.yield(
                    LinkEvent(address: peer, kind: .messageDropped(reason: trouble)))
            } else {
                counter.onReceived(parts.frames)
                mailbox.offer(
                    Arrival(frames: parts.frames, peerKey: parts.peerKey, peer: parts.peer))
            }
        }
    }
}
