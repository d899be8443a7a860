import ArgumentParser
import Foundation
import SkeinCore
import SkeinText

/// Ends a cluster.
struct Down: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Ends a cluster: its head and every node of every host.",
        discussion: """
            Asks the head over HTTP, which lets running requests finish for up to 30 seconds. To \
            stop the head alone, end 'skein up' there: the nodes of other hosts keep their weights.
            """)

    @OptionGroup var target: HeadTarget
    @OptionGroup var head: HeadOptions

    func run() async throws {
        let client = try head.client(of: try target.address())
        do throws(Refusal) {
            let answer = try await client.order("/v1/cluster/shutdown")
            let count = answer["nodes"]?.array?.count ?? 0
            Console.say(
                "cluster \(answer["cluster"]?.string ?? ""): its head and \(count) node(s) end "
                    + "when running requests are done")
            try await Self.waitForEnd(of: client)
            await client.close()
        } catch {
            await client.close()
            throw error
        }
    }

    /// Waits until the head answers no more.
    private static func waitForEnd(of client: HeadClient) async throws(Refusal) {
        let secondsMax = ServedModel.drainSecondsMax + Limits.statusSecondsMax
        let end = ContinuousClock.now + .seconds(secondsMax)
        while ContinuousClock.now < end {
            do throws(Refusal) {
                _ = try await client.ask("/livez")
            } catch {
                return
            }
            do { try await Task.sleep(for: .milliseconds(200)) } catch { return }
        }
        throw Refusal(client.address.text, "still answers after \(secondsMax) s")
    }
}

/// Has a node go away.
struct Drain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Has a node of a cluster go away; a standby takes its place.",
        discussion: """
            Asks the head over HTTP. No request fails: what runs goes on where the standby is. The \
            node's process then ends.
            """)

    @Argument(help: "The node's name.")
    var node: String

    @OptionGroup var target: HeadTarget

    @Flag(help: "Go on without a standby, too: requests wait until the node is back.")
    var force = false

    @OptionGroup var head: HeadOptions

    func run() async throws {
        let address = try target.address()
        let allowed = CharacterSet.alphanumerics.union(CharacterSet(charactersIn: "-_."))
        guard let name = node.addingPercentEncoding(withAllowedCharacters: allowed) else {
            throw Refusal("node", "found '\(node)', expected a node's name")
        }
        let client = try head.client(of: address)
        do throws(Refusal) {
            _ = try await client.order("/v1/cluster/drain?node=\(name)\(force ? "&force=1" : "")")
            Console.say("node \(node): goes away")
            await client.close()
        } catch {
            await client.close()
            throw error
        }
    }
}

/// Which head is told something.
struct HeadTarget: ParsableArguments {
    @Argument(help: "The cluster file, whose http address is asked.")
    var clusterFile: String?

    @Option(help: "The head's address in its place, for example http://10.0.0.1:8080.")
    var url: String?

    func validate() throws {
        guard (clusterFile == nil) != (url == nil) else {
            throw ValidationError("expected either a cluster file or --url")
        }
        if let url { try HeadOptions.check(url: url) }
    }

    /// The head's address.
    func address() throws(Refusal) -> HeadAddress {
        if let url { return try HeadAddress(parsing: url, subject: "--url") }
        return try HeadAddress(clusterFile: clusterFile ?? "")
    }
}

extension HeadClient {
    /// Tells the head to do something.
    ///
    /// - Throws: a `Refusal` where it does not, with the head's own reason.
    func order(_ path: String) async throws(Refusal) -> JSONValue {
        var bounds = Bounds()
        bounds.isPost = true
        let answer = try await ask(path, within: bounds)
        guard (200...299).contains(answer.status) else {
            let message = answer.value["error"]?["message"]?.string
            throw Refusal(
                address.text,
                message.map { String($0.prefix(300)) }
                    ?? "answered with status \(answer.status) without saying why")
        }
        return answer.value
    }
}
