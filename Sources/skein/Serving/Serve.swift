import ArgumentParser
import Foundation
import Logging
import SkeinCluster
import SkeinCoordinator
import SkeinCore
import SkeinServer
import SkeinText
import SkeinWeights

/// Serves a model from this machine over HTTP.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serves a model from this machine over HTTP.")

    @OptionGroup var model: ModelOption
    @OptionGroup var layout: LayoutOptions
    @OptionGroup var cacheOptions: CacheOptions
    @OptionGroup var front: FrontOptions

    @Flag(
        name: .customLong("no-prefix-cache"),
        help: "Run every prompt from its first token, whatever was asked before.")
    var ignoresPrefixes = false

    @Option(
        name: .customLong("state"),
        help: "Folder in which requests are written down; the next start goes on with them.")
    var statePath: String?

    @OptionGroup var log: LogOption

    func run() async throws {
        let folder = try model.folder()
        let choice = try CacheChoice(
            cacheOptions.wish, layout.layout(layout.serving(positionCount: 1)),
            of: Checkpoint.open(folder))
        var serving = layout.serving(
            positionCount: choice.positionCount, pageCount: choice.pageCount)
        serving.reusesPrefixes = !ignoresPrefixes
        let text = try TextSetup.inFolder(folder)
        let (front, log) = (front, log)
        // What cannot be read is said before a model is loaded.
        let (keys, settings) = (try front.keys(), try front.settings())
        let names = front.served.modelNames(folder: folder)
        do {
            Console.standardError(choice.reason)
            if let remark = text?.chatRemark { Console.standardError(remark) }
            try await EmbeddedRun(
                folder: folder, layout: layout, serving: serving, log: log, statePath: statePath
            ).run { cluster in
                let service = ModelService(
                    modelName: names[0], aliases: Array(names.dropFirst()),
                    coordinator: cluster.coordinator, text: text,
                    configuration: cluster.configuration, positionCountMax: choice.positionCount)
                let server = HTTPFront(
                    service: service, host: front.host, port: front.port, apiKeys: keys,
                    settings: settings, logger: log.logger("skein.http"))
                let port = try await server.start()
                let address = server.url(port: port)
                let banner = StartBanner(
                    modelName: service.modelName,
                    status: await cluster.coordinator.freshStatus(), address: address,
                    hasKeys: keys != nil)
                banner.show()
                let renewal = Renewal(
                    keys: front.keysOption, served: front.served, server: server)
                let renewals = Task { await renewal.run() }
                defer { renewals.cancel() }
                try await ServedModel.serve(server, until: cluster.coordinator)
            }
        } catch is CancellationError {
            // The end that a server is asked for is a good one.
        }
    }
}

/// Where and for whom a server listens.
struct FrontOptions: ParsableArguments {
    @Option(help: "The address to listen on; IPv6 with or without brackets.")
    var host = "127.0.0.1"

    @Option(help: "The port to listen on; 0 takes any free one.")
    var port = 8080

    @OptionGroup var keysOption: KeysOption
    @OptionGroup var served: ServedOptions

    func validate() throws {
        guard (0...65_535).contains(port) else {
            throw ValidationError("--port: expected 0 to 65535, found \(port)")
        }
        do throws(Refusal) {
            guard try TCPAddress(host: host).host != .all else {
                throw Refusal("", "expected an address; 0.0.0.0 stands for all of this machine")
            }
        } catch {
            throw ValidationError("--host: found '\(host)', \(error.reason)")
        }
    }

    /// The keys of the file, if one is named.
    func keys() throws(Refusal) -> APIKeys? { try keysOption.keys(host: host) }

    /// The rest of how the server serves.
    func settings() throws(Refusal) -> FrontSettings { try served.settings() }
}

/// Who may call.
struct KeysOption: ParsableArguments {
    @Option(name: .customLong("api-keys"), help: "A file with one API key a line.")
    var path: String?

    @Flag(
        name: .customLong("share-prefixes"),
        help: "Let the holders of different API keys share cached beginnings of prompts.")
    var sharesPrefixes = false

    /// The keys of the file, if one is named; an open address without keys is worth a warning.
    func keys(host: String) throws(Refusal) -> APIKeys? {
        let keys = try read()
        try warn(host: host)
        return keys
    }

    /// The keys of the file, if one is named.
    func read() throws(Refusal) -> APIKeys? {
        guard let path else { return nil }
        var keys = try APIKeys(file: path)
        keys.sharesPrefixes = sharesPrefixes
        return keys
    }

    /// Warns where HTTP is about to be served without keys to other machines.
    func warn(host: String) throws(Refusal) {
        guard path == nil, try !TCPAddress(host: host).isLoopback else { return }
        Console.say(
            "warning: \(host) is reachable from other machines, and without --api-keys anyone "
                + "there may use the model", level: .warning)
    }
}
