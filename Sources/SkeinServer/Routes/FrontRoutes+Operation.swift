internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore
internal import SkeinCoordinator
internal import SkeinCore
internal import SkeinText

// What the operators of a cluster ask its head to do.
extension FrontRoutes {
    /// Has a node go away, where a standby can take its place or it is forced.
    func drainNode(_ asking: Route.Asking) async throws(APIError) -> Response {
        try checkOperator(asking)
        guard let name = asking.request.uri.queryParameters["node"] else {
            throw .invalid("node", "node: found nothing, expected ?node=NAME")
        }
        let isForced = try Self.flag("force", of: asking.request, absent: false)
        do throws(Refusal) {
            try await service.coordinator.drain(node: String(name), isForced: isForced)
        } catch {
            throw .conflict(error)
        }
        return Self.response(
            .fields(["status": .string("draining"), "node": .string(String(name))]), status: 202)
    }

    /// Has the head end, and every node with it, once running requests are done.
    func shutDown(_ asking: Route.Asking) async throws(APIError) -> Response {
        try checkOperator(asking)
        let status = await service.coordinator.status()
        asking.caller.logger.notice("the cluster was asked to end")
        noteEnd()
        if await !service.coordinator.hasBeenReady {
            // Nobody has an answer to wait for.
            await service.coordinator.fail(Refusal("cluster \(status.name)", "was asked to end"))
        }
        return Self.response(
            .fields([
                "status": .string("ending"), "cluster": .string(status.name),
                "nodes": .array(status.nodes.map { .string($0.name) }),
            ]), status: 202)
    }

    /// Refuses who may not tell the cluster what to do.
    ///
    /// Only programs of the head's own host may: no page of a browser there, and nobody whose
    /// request a proxy there has passed on. From elsewhere a key must have been checked.
    private func checkOperator(_ asking: Route.Asking) throws(APIError) {
        guard settings.isHead else {
            throw .notFound(
                nil, "this server has no nodes of other hosts; it ends with its process",
                code: "not_found")
        }
        if settings.takesRemoteOrders, apiKeys != nil { return }
        let signs = ["origin", "forwarded", "x-forwarded-for", "x-real-ip", "via"]
        let isPassedOn = asking.request.headers.contains {
            signs.contains($0.name.canonicalName)
        }
        guard asking.caller.isOnThisHost, !isPassedOn else {
            throw .forbidden(
                "this may be asked on the head's host only, and not through a proxy or a browser; "
                    + "'skein up --remote-orders' lets the holders of API keys elsewhere")
        }
    }
}

extension Caller {
    /// Whether the connection comes from this machine.
    fileprivate var isOnThisHost: Bool {
        guard let remote = channel.remoteAddress, let text = remote.ipAddress else { return false }
        if ["127.", "::ffff:127."].contains(where: text.hasPrefix) || text == "::1" { return true }
        // Who calls a machine from itself has the same address at both ends.
        return text == channel.localAddress?.ipAddress
    }
}
