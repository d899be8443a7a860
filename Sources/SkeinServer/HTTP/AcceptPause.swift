internal import Foundation
internal import Logging
internal import NIOCore

/// Pauses accepting while the machine or the process has no descriptor left.
///
/// The connection that could not be accepted stays in the kernel's queue, and the socket stays
/// readable: without a pause the event loop would try again at once, for ever, on a whole core. The
/// error stays here, since the library would take it for the end of the server.
final class AcceptPause: ChannelInboundHandler {
    typealias InboundIn = Channel

    /// Long enough to cost nothing, short enough that nobody notices it.
    private static let pause: TimeAmount = .milliseconds(100)

    private let logger: Logger
    private var isPaused = false
    private var hasWarned = false

    init(logger: Logger) { self.logger = logger }

    func channelRead(context place: ChannelHandlerContext, data part: NIOAny) {
        hasWarned = false
        place.fireChannelRead(part)
    }

    func errorCaught(context place: ChannelHandlerContext, error: any Error) {
        guard let code = (error as? IOError)?.errnoCode,
            [EMFILE, ENFILE, ENOBUFS, ENOMEM, ECONNABORTED].contains(code)
        else { return place.fireErrorCaught(error) }
        guard code != ECONNABORTED, !isPaused else { return }
        if !hasWarned {
            hasWarned = true
            logger.warning("no new connection is accepted: \(SystemError.words(code))")
        }
        isPaused = true
        let channel = place.channel
        setReading(channel, false)
        let pause = NIOLoopBound(self, eventLoop: place.eventLoop)
        place.eventLoop.scheduleTask(in: Self.pause) {
            pause.value.isPaused = false
            pause.value.setReading(channel, true)
        }
    }

    private func setReading(_ channel: any Channel, _ reads: Bool) {
        do {
            try channel.syncOptions?.setOption(.autoRead, value: reads)
        } catch {
            logger.debug("the listening socket is closed: \(error)")
        }
    }
}

/// The system's errors in words.
enum SystemError {
    /// What an error number means, for the end of a line.
    static func words(_ code: CInt) -> String {
        switch code {
        case EADDRINUSE: "the address is in use"
        case EADDRNOTAVAIL: "this machine has no such address"
        case EACCES, EPERM: "this user may not (ports below 1024 need a privilege)"
        case EMFILE: "the process has no file descriptor left (see ulimit -n)"
        case ENFILE: "the machine has no file descriptor left"
        default: String(cString: strerror(code)).lowercased()
        }
    }

    /// Why an address cannot be listened on, for the end of a line.
    static func words(listening error: any Error) -> String {
        switch error {
        case let error as IOError: words(error.errnoCode)
        case is SocketAddressError.UnknownHost: "the name is not known"
        default: "the socket cannot be opened"
        }
    }
}

/// How many files and sockets this process may have open.
enum DescriptorLimit {
    /// Raises the soft limit to the hard one: a connection takes a descriptor, and the usual 1,024
    /// are fewer than the connections that a front admits.
    static func raise() {
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
        limit.rlim_cur = limit.rlim_max
        // Where the system refuses, the old limit stays and AcceptPause lives with it.
        _ = setrlimit(resource, &limit)
    }

    #if canImport(Glibc)
    private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #else
    private static let resource = RLIMIT_NOFILE
    #endif
}
