internal import Hummingbird
internal import SkeinCoordinator
internal import SkeinCore
internal import SkeinMembership
internal import SkeinText

// What operators and load balancers ask: is the cluster well, and what is its state.
extension FrontRoutes {
    /// The verdict for load balancers: 200 while requests are served, else 503.
    ///
    /// A token is pushed through every stage, at most once a second however many ask;
    /// `?probe=0` only looks.
    func health(_ request: Request) async throws(APIError) -> Response {
        let isProbing = try Self.flag("probe", of: request, absent: true)
        let report = await service.coordinator.health(
            probing: isProbing, isDraining: isDraining)
        return Self.response(report.json, status: report.verdict.isServing ? 200 : 503)
    }

    /// Whether completions are served, without asking any node; 200 or 503.
    func readiness(_ asking: Route.Asking) async -> Response {
        let report = await service.coordinator.health(probing: false, isDraining: isDraining)
        return Self.response(report.json, status: report.verdict.isServing ? 200 : 503)
    }

    /// The whole state; with `?probe=1` a token is pushed through every stage first.
    func cluster(_ request: Request) async throws(APIError) -> Response {
        let isProbing = try Self.flag("probe", of: request, absent: false)
        let report = await service.coordinator.health(
            probing: isProbing, isDraining: isDraining)
        let status = await service.coordinator.freshStatus()
        var members = status.json.members ?? []
        members.append(.init("model", .string(service.modelName)))
        members.append(.init("health", report.json))
        return Self.response(.object(members))
    }

    /// A 0 or 1 behind a name of the query.
    static func flag(
        _ name: String, of request: Request, absent: Bool
    ) throws(APIError) -> Bool {
        switch request.uri.queryParameters[name[...]] {
        case nil: return absent
        case "0": return false
        case "1": return true
        case let other?:
            throw .invalid(name, "\(name): found '\(other.prefix(60))', expected 0 or 1")
        }
    }
}

extension HealthReport {
    /// The verdict, its reasons, and the probe it rests on.
    var json: JSONValue {
        .fields([
            "status": .string(verdict.level.rawValue),
            "reasons": .array(verdict.reasons.map { .string($0.text) }),
            "details": .array(verdict.reasons.map(\.json)), "probe": probe.json,
        ])
    }
}

extension HealthReason {
    fileprivate var json: JSONValue {
        .fields([
            "code": .string(code.rawValue), "node": node.map { .string($0) } ?? .null,
            "reason": .string(text),
        ])
    }
}

extension ProbeSign {
    fileprivate var json: JSONValue {
        switch self {
        case .none: .null
        case .answered(let time):
            .fields(["ok": .bool(true), "seconds": .seconds(time / .seconds(1))])
        case .late(let time):
            .fields([
                "ok": .bool(false), "seconds": .seconds(time / .seconds(1)),
                "reason": .string("no answer yet"),
            ])
        case .failed(let refusal):
            .fields(["ok": .bool(false), "reason": .string(refusal.description)])
        }
    }
}
