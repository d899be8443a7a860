import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// An OpenAI-compatible server that does what a script says, when it says, and keeps the times.
final class ScriptedServer: Sendable {
    /// What one request is answered with.
    struct Answer: Sendable {
        var status = 200
        var type = "text/event-stream"
        var headers: [(name: String, value: String)] = []
        /// Bytes to send, each so long after the one before, the first after the request.
        var steps: [(delay: Duration, text: String)] = []
        /// Whether the connection closes where the answer should have ended.
        var isCutOff = false
        /// Whether nothing is ever said.
        var isSilent = false
    }

    /// When things happened to one request.
    struct Times: Sendable {
        let received: NIODeadline
        /// What was asked.
        let body: String
        var sent: [NIODeadline] = []
    }

    /// Answers a request by its number and the time at which it came.
    typealias Script = @Sendable (_ number: Int, _ received: NIODeadline) -> Answer

    /// Documents by their path; every other path is answered by the script.
    typealias Documents = [String: String]

    /// Where it listens.
    let url: String
    /// The loop on which it does everything.
    let loop: any EventLoop
    private let channel: any Channel
    private let recorded: RecordedTimes

    /// What happened to each request, in the order in which they came.
    var times: [Times] { recorded.times.withLock { $0 } }

    /// Listens on a free port.
    init(
        documents: Documents = ScriptedServer.models, script: @escaping Script
    ) async throws {
        let recorded = RecordedTimes()
        self.recorded = recorded
        loop = MultiThreadedEventLoopGroup.singleton.next()
        channel = try await ServerBootstrap(group: loop)
            .serverChannelOption(.backlog, value: 256)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(
                        ScriptedConversation(
                            channel: channel, documents: documents, script: script,
                            recorded: recorded))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        url = "http://127.0.0.1:\(channel.localAddress?.port ?? 0)"
    }

    /// Stops listening.
    func stop() async throws { try await channel.close() }

    /// A list of one model whose vocabulary is known.
    static let models = [
        "/v1/models": #"{"data": [{"id": "script", "vocab_size": 100, "max_model_len": 4096}]}"#
    ]

    /// An event that brings a piece of a text completion.
    static func text(_ text: String = "a", finish: String? = nil) -> String {
        let reason = finish.map { "\"\($0)\"" } ?? "null"
        return "data: {\"choices\": [{\"text\": \"\(text)\", \"finish_reason\": \(reason)}]}\n\n"
    }

    /// The events that end an answer of so many tokens.
    static func end(tokens: Int? = nil) -> String {
        let usage = tokens.map {
            "data: {\"choices\": [], \"usage\": {\"prompt_tokens\": 8, "
                + "\"completion_tokens\": \($0)}}\n\n"
        }
        return text("", finish: "length") + (usage ?? "") + "data: [DONE]\n\n"
    }

    /// An answer of one token after each delay.
    static func answer(_ delays: [Duration]) -> Answer {
        var answer = Answer()
        answer.steps = delays.map { ($0, text()) } + [(.zero, end(tokens: delays.count))]
        return answer
    }
}

/// The times of all requests of one server.
final class RecordedTimes: Sendable {
    let times = Mutex<[ScriptedServer.Times]>([])
}

/// One connection to the scripted server.
private final class ScriptedConversation: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart

    private let channel: any Channel
    private let documents: ScriptedServer.Documents
    private let script: ScriptedServer.Script
    private let recorded: RecordedTimes
    private var path = ""
    private var body = ""

    init(
        channel: any Channel, documents: ScriptedServer.Documents,
        script: @escaping ScriptedServer.Script, recorded: RecordedTimes
    ) {
        self.channel = channel
        self.documents = documents
        self.script = script
        self.recorded = recorded
    }

    func channelRead(context channelContext: ChannelHandlerContext, data part: NIOAny) {
        switch unwrapInboundIn(part) {
        case .head(let head): (path, body) = (head.uri, "")
        case .body(let bytes): body += String(buffer: bytes)
        case .end: answer()
        }
    }

    private func answer() {
        if let document = documents[path] {
            var answer = ScriptedServer.Answer()
            answer.type = "application/json"
            answer.steps = [(.zero, document)]
            play(answer, number: nil, from: .now())
        } else if path.hasSuffix("/completions") {
            let received = NIODeadline.now()
            let number = recorded.times.withLock { times in
                times.append(.init(received: received, body: body))
                return times.count - 1
            }
            play(script(number, received), number: number, from: received)
        } else {
            play(ScriptedServer.Answer(status: 404), number: nil, from: .now())
        }
    }

    private func play(_ answer: ScriptedServer.Answer, number: Int?, from start: NIODeadline) {
        guard !answer.isSilent else { return }
        let (channel, recorded) = (channel, recorded)
        var headers = HTTPHeaders([("content-type", answer.type)])
        for header in answer.headers { headers.add(name: header.name, value: header.value) }
        headers.add(name: "transfer-encoding", value: "chunked")
        let head = HTTPResponseHead(
            version: .http1_1, status: .init(statusCode: answer.status), headers: headers)
        channel.write(HTTPServerResponsePart.head(head), promise: nil)
        var time = start
        for step in answer.steps {
            time = time + .nanoseconds(Int64(step.delay / .nanoseconds(1)))
            let bytes = ByteBuffer(string: step.text)
            channel.eventLoop.scheduleTask(deadline: time) {
                if let number {
                    recorded.times.withLock { $0[number].sent.append(.now()) }
                }
                channel.writeAndFlush(
                    HTTPServerResponsePart.body(.byteBuffer(bytes)), promise: nil)
            }
        }
        let isCutOff = answer.isCutOff
        channel.eventLoop.scheduleTask(deadline: time) {
            if isCutOff {
                channel.close(promise: nil)
            } else {
                channel.writeAndFlush(HTTPServerResponsePart.end(nil), promise: nil)
            }
        }
    }
}
