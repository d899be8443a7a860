internal import NIOCore
internal import NIOHTTP1
internal import SkeinCore

/// The rules of RFC 9112 that depend on a request's method, version and headers.
///
/// - The answer to HEAD has the headers of GET's and no body.
/// - HTTP/1.0 gets no chunked coding; its connection ends with the answer unless it asked to keep
///   it and the answer's length is known.
/// - `Expect: 100-continue` is answered once the body is wanted (`BodyWanted`); a final answer
///   before that ends the connection, since nobody knows whether the body still comes.
/// - HTTP/1.1 needs one `Host`: a request that has none, or several, reaches the routes without an
///   authority, and one of HTTP/1.0 without it has an empty one.
/// - After an answer that ends the connection nothing more is read or written, and the client has
///   a moment to take the answer before the socket is gone.
final class HTTPFraming: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// Tells the connection that the body of the request at hand is about to be read.
    struct BodyWanted: Sendable {}

    /// What the answer to a request depends on.
    private struct Exchange {
        let version: HTTPVersion
        let isHead: Bool
        var keepsAlive: Bool
        var awaitsContinue: Bool

        init(_ head: HTTPRequestHead) {
            version = head.version
            isHead = head.method == .HEAD
            keepsAlive = head.isKeepAlive
            awaitsContinue =
                !head.version.isOld
                && head.headers[canonicalForm: "expect"].contains {
                    $0.lowercased() == "100-continue"
                }
        }
    }

    /// Requests that were read and not answered yet; the first is the one being answered.
    ///
    /// Their number is bounded by what the library reads ahead.
    private var exchanges: [Exchange] = []
    private var isClosing = false

    func channelRead(context place: ChannelHandlerContext, data part: NIOAny) {
        guard !isClosing else { return }
        switch unwrapInboundIn(part) {
        case .head(var head):
            exchanges.append(Exchange(head))
            Self.prepare(&head)
            place.fireChannelRead(wrapInboundOut(.head(head)))
        case .body, .end:
            // A client that sends its body does not wait for leave.
            if !exchanges.isEmpty { exchanges[exchanges.count - 1].awaitsContinue = false }
            place.fireChannelRead(part)
        }
    }

    /// Writes the rules about hosts and closing into the headers that the routes will see.
    private static func prepare(_ head: inout HTTPRequestHead) {
        let hosts = head.headers["host"]
        if head.version.isOld {
            // An older client knows neither.
            head.headers.remove(name: "expect")
            if hosts.isEmpty { head.headers.add(name: "host", value: "") }
        } else if hosts.count != 1 {
            head.headers.remove(name: "host")
        }
        if !head.isKeepAlive { head.headers.replaceOrAdd(name: "connection", value: "close") }
    }

    func triggerUserOutboundEvent(
        context place: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?
    ) {
        guard event is BodyWanted else {
            return place.triggerUserOutboundEvent(event, promise: promise)
        }
        guard exchanges.first?.awaitsContinue == true, !isClosing else {
            promise?.succeed()
            return
        }
        exchanges[0].awaitsContinue = false
        let head = HTTPResponseHead(version: .http1_1, status: .continue)
        place.writeAndFlush(wrapOutboundOut(.head(head)), promise: promise)
    }

    func write(
        context place: ChannelHandlerContext, data part: NIOAny, promise: EventLoopPromise<Void>?
    ) {
        guard !isClosing else {
            promise?.fail(ChannelError.outputClosed)
            return
        }
        // Bytes that are no request are answered as well, by the library, which then closes.
        guard let exchange = exchanges.first else { return place.write(part, promise: promise) }
        switch unwrapOutboundIn(part) {
        case .head(let head) where head.status.code < 200: place.write(part, promise: promise)
        case .head(let head):
            place.write(wrapOutboundOut(.head(framed(head, exchange))), promise: promise)
        case .body where exchange.isHead: promise?.succeed()
        case .body: place.write(part, promise: promise)
        case .end:
            exchanges.removeFirst()
            guard !exchange.keepsAlive else { return place.write(part, promise: promise) }
            let written = promise ?? place.eventLoop.makePromise()
            close(place, after: written.futureResult)
            place.writeAndFlush(part, promise: written)
        }
    }

    /// The head of an answer with the version and the connection's fate that the request asks for.
    private func framed(_ head: HTTPResponseHead, _ exchange: Exchange) -> HTTPResponseHead {
        var (head, exchange) = (head, exchange)
        let isOpenEnded =
            head.status.mayHaveResponseBody && !head.headers.contains(name: "content-length")
        // Without chunks only the end of the connection tells the end of such a body.
        let hasChunks = !exchange.version.isOld && !exchange.isHead
        if exchange.awaitsContinue || (isOpenEnded && !hasChunks) || !head.isKeepAlive {
            exchange.keepsAlive = false
        }
        exchanges[0] = exchange
        // The encoder writes chunks to HTTP/1.1 only.
        head.version = isOpenEnded && !hasChunks ? .http1_0 : exchange.version
        if !exchange.keepsAlive {
            head.headers.replaceOrAdd(name: "connection", value: "close")
        } else if exchange.version.isOld {
            head.headers.replaceOrAdd(name: "connection", value: "keep-alive")
        }
        return head
    }

    /// Ends the connection once an answer is out.
    ///
    /// A connection that is closed while bytes arrive is reset, and the client may never read the
    /// answer; so only the server's half ends at first.
    private func close(_ place: ChannelHandlerContext, after written: EventLoopFuture<Void>) {
        isClosing = true
        let channel = place.channel
        written.whenComplete { _ in
            channel.close(mode: .output, promise: nil)
            channel.eventLoop.scheduleTask(in: .seconds(Int64(Limits.httpLingerSecondsMax))) {
                channel.close(promise: nil)
            }
        }
    }
}

extension HTTPResponseStatus {
    /// Whether answers with this status may carry bytes.
    fileprivate var mayHaveResponseBody: Bool { code >= 200 && code != 204 && code != 304 }
}

extension HTTPVersion {
    /// Whether it is older than HTTP/1.1.
    fileprivate var isOld: Bool { major < 1 || (major == 1 && minor < 1) }
}

/// Puts `HTTPFraming` right behind the decoder of a connection, then leaves.
///
/// The library's own channel forgets the version of a request before anybody else can look at it,
/// and lets others in behind that only.
final class FramingPlacement: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    func handlerAdded(context place: ChannelHandlerContext) {
        let pipeline = place.pipeline.syncOperations
        do {
            let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
            try pipeline.addHandler(HTTPFraming(), position: .after(decoder))
        } catch {
            // A connection whose messages would be framed wrongly is none.
            place.close(promise: nil)
        }
        pipeline.removeHandler(context: place, promise: nil)
    }
}
