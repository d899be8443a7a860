internal import NIOCore
internal import NIOPosix
public import SkeinCore
public import SkeinPlanning

/// Measures the link between two hosts over plain TCP: one answers, the other asks.
///
/// A question is a length of four bytes, big-endian, and so many bytes; the answer to it is one
/// byte. Half of the shortest time of a question without bytes is the latency; what a long question
/// takes beyond that gives the rate.
public enum LinkBench {
    /// Bytes of one question at most.
    private static let questionBytesMax = 64 << 20
    private static let pingCount = 200

    /// Answers one peer until it hangs up.
    ///
    /// - Parameter onReady: is told where it listens.
    /// - Throws: a refusal where the address cannot be listened at, or the peer speaks otherwise.
    public static func answer(
        at place: TCPAddress, onReady: (String) -> Void
    ) async throws {
        let (host, port) = try parts(place)
        let server: NIOAsyncChannel<NIOAsyncChannel<ByteBuffer, ByteBuffer>, Never>
        do {
            server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .bind(host: host, port: port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try NIOAsyncChannel(wrappingChannelSynchronously: channel)
                    }
                }
        } catch {
            throw Refusal("--listen \(place.hostAndPort)", "cannot listen there: \(error)")
        }
        onReady("answering a peer at \(server.channel.localAddress.map { "\($0)" } ?? host)")
        try await server.executeThenClose { connections in
            for try await connection in connections {
                try await answer(connection)
                return
            }
        }
    }

    /// Asks a host that answers.
    ///
    /// - Throws: a refusal where nobody answers there.
    public static func link(to place: TCPAddress) async throws -> LinkRate {
        let (host, port) = try parts(place)
        let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>
        do {
            channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .connectTimeout(.seconds(10))
                .connect(host: host, port: port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try NIOAsyncChannel(wrappingChannelSynchronously: channel)
                    }
                }
        } catch {
            throw Refusal(
                "--peer \(place.hostAndPort)",
                "nobody answers there; start 'skein bench host --listen' on that host")
        }
        return try await channel.executeThenClose { answers, questions in
            var answers = answers.makeAsyncIterator()
            let clock = ContinuousClock()
            func seconds(_ byteCount: Int) async throws -> Double {
                var question = ByteBuffer(integer: UInt32(byteCount))
                question.writeRepeatingByte(0, count: byteCount)
                let begin = clock.now
                try await questions.write(question)
                guard try await answers.next() != nil else {
                    throw Refusal("--peer \(place.hostAndPort)", "hung up in the middle")
                }
                return (clock.now - begin) / .seconds(1)
            }
            var shortest = Double.infinity
            for _ in 0..<pingCount { shortest = min(shortest, try await seconds(0)) }
            // Longer questions until one takes so long that its start does not count.
            var byteCount = 1 << 20
            var rate = 0.0
            while byteCount <= questionBytesMax {
                let taken = try await seconds(byteCount)
                rate = max(rate, Double(byteCount) / max(1e-9, taken - shortest))
                if taken > max(1, 20 * shortest) { break }
                byteCount *= 2
            }
            return LinkRate(latencySeconds: shortest / 2, bytesPerSecond: rate)
        }
    }

    // MARK: Rooms

    private static func answer(
        _ connection: NIOAsyncChannel<ByteBuffer, ByteBuffer>
    ) async throws {
        try await connection.executeThenClose { pieces, answers in
            var lengthBytes = ByteBuffer()
            var missing = 0
            for try await var piece in pieces {
                while piece.readableBytes > 0 {
                    if missing > 0 {
                        let taken = min(missing, piece.readableBytes)
                        piece.moveReaderIndex(forwardBy: taken)
                        missing -= taken
                    } else {
                        let wanted = min(4 - lengthBytes.readableBytes, piece.readableBytes)
                        if var part = piece.readSlice(length: wanted) {
                            lengthBytes.writeBuffer(&part)
                        }
                        guard lengthBytes.readableBytes == 4 else { continue }
                        let length: UInt32? = lengthBytes.readInteger()
                        lengthBytes.clear()
                        missing = Int(length ?? 0)
                        guard missing <= questionBytesMax else {
                            throw Refusal(
                                "--listen",
                                "a peer announced \(missing) bytes, expected at most "
                                    + "\(questionBytesMax)")
                        }
                    }
                    if missing == 0 { try await answers.write(ByteBuffer(bytes: [1])) }
                }
            }
        }
    }

    private static func parts(_ place: TCPAddress) throws(Refusal) -> (host: String, port: Int) {
        guard let port = place.port else {
            throw Refusal("address '\(place.hostAndPort)'", "names no port, expected a number")
        }
        switch place.host {
        case .ipv4(let host), .ipv6(let host), .name(let host): return (host, Int(port))
        case .all: return ("0.0.0.0", Int(port))
        }
    }
}
