import SkeinCore
import SkeinMembership

/// What one look at a cluster's health has found; everything in it was checked or is `nil`.
struct HealthFinding: Sendable {
    /// One reason, in the head's words.
    struct Reason: Sendable {
        /// What kind of trouble it is; the head may be of a later version and know more kinds.
        var code: String?
        /// The node that it is about.
        var node: String?
        /// One line for people.
        let text: String
    }

    /// What the head says of itself; `nil` where nothing could be had.
    let level: HealthVerdict.Level?
    /// Why it is not healthy, the gravest first.
    let reasons: [Reason]
    /// Seconds that the probe took, where it was answered.
    let probeSeconds: Double?
    /// The head and the nodes; `nil` where only the verdict may be known, or nothing.
    let table: ClusterTable?
    /// Why there is no verdict, or no table.
    let trouble: Refusal?
    /// Who was asked.
    let asked: String
    /// The head's own words.
    let answer: JSONValue?

    /// 0 healthy, 1 degraded, 2 down or loading, 3 could not tell.
    var exitCode: Int32 {
        switch level {
        case .healthy: 0
        case .degraded: 1
        case .loading, .down: 2
        case nil: 3
        }
    }

    /// Nothing could be found out.
    init(unknown trouble: Refusal, asked: String) {
        self.init(nil, [], nil, nil, trouble, asked, nil)
    }

    private init(
        _ level: HealthVerdict.Level?, _ reasons: [Reason], _ probeSeconds: Double?,
        _ table: ClusterTable?, _ trouble: Refusal?, _ asked: String,
        _ answer: JSONValue?
    ) {
        self.level = level
        self.reasons = reasons
        self.probeSeconds = probeSeconds
        self.table = table
        self.trouble = trouble
        self.asked = asked
        self.answer = answer
    }

    /// Asks a head for its state and its verdict.
    init(asking client: HeadClient) async {
        let asked = client.address.text
        do throws(Refusal) {
            let answer = try await client.ask("/v1/cluster?probe=1")
            if answer.status == 401, !client.hasKey {
                // The verdict is for everyone; only the table wants a key.
                let verdict = try await client.ask("/health")
                try self.init(
                    verdict: verdict.value, table: nil, answer: verdict.value, asked: asked,
                    trouble: Refusal(asked, "shows its nodes to those with a key: --api-key"))
                return
            }
            guard answer.status == 200 else {
                let message = answer.value["error"]?["message"]?.string.map { ": \(PlainText($0))" }
                throw Refusal(
                    asked, "answered with status \(answer.status)\(message ?? "")")
            }
            guard let health = answer.value["health"] else {
                throw Refusal(asked, "answered without its health; is it a Skein head?")
            }
            try self.init(
                verdict: health, table: try ClusterTable(answer.value, from: asked),
                answer: answer.value, asked: asked, trouble: nil)
        } catch {
            self.init(unknown: error, asked: asked)
        }
    }

    private init(
        verdict health: JSONValue, table: ClusterTable?, answer: JSONValue,
        asked: String, trouble: Refusal?
    ) throws(Refusal) {
        guard let word = health["status"]?.string, let level = HealthVerdict.Level(rawValue: word)
        else {
            throw Refusal(asked, "answered without a status that is known here")
        }
        let texts = (health["reasons"]?.array ?? []).prefix(Limits.nodesMax)
        let details = health["details"]?.array ?? []
        let reasons = texts.enumerated().compactMap { place, text -> Reason? in
            guard let text = text.string else { return nil }
            let detail = place < details.count ? details[place] : nil
            func name(_ field: String) -> String? {
                detail?[field]?.string.map {
                    PlainText($0, charactersMax: Limits.nameCharactersMax).description
                }
            }
            return Reason(
                code: name("code"), node: name("node"), text: PlainText(text).description)
        }
        let seconds =
            health["probe"]?["ok"]?.bool == true ? health["probe"]?["seconds"]?.double : nil
        self.init(
            level, reasons, seconds, table, trouble, asked, answer)
    }
}

/// Foreign text as it may stand on a terminal: one line, no control characters, bounded.
struct PlainText: CustomStringConvertible, Sendable {
    /// The text.
    let description: String

    init(_ text: String, charactersMax: Int = Limits.refusalScalarsMax) {
        var plain = String.UnicodeScalarView()
        for scalar in text.unicodeScalars.prefix(charactersMax) {
            let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
            plain.append(isControl || scalar.properties.isBidiControl ? "?" : scalar)
        }
        description = String(plain)
    }
}
