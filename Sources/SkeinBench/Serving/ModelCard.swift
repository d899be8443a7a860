import SkeinCore

/// The model that is asked for, and what the server tells of it and of itself.
struct ModelCard: Sendable, Equatable {
    var name: String
    /// Tokens of its vocabulary, where the server tells.
    var vocabularySize: Int?
    /// Positions of one sequence, where the server tells.
    var positionCountMax: Int?
    /// The program that serves it, where the server tells.
    var ownedBy: String?
    /// The version of that program, where the server tells.
    var serverVersion: String?

    /// Looks up the model that the user named, or the first that the server has.
    static func fetch(from client: ServingClient) async throws -> ModelCard {
        var card = try await listed(by: client)
        card.serverVersion = await version(of: client)
        return card
    }

    private static func listed(by client: ServingClient) async throws -> ModelCard {
        let wanted = client.target.model
        let cards: [ModelCard]
        do {
            let listed = try await client.json("/v1/models").fields?["data"]?.array ?? []
            cards = listed.compactMap(ModelCard.init)
        } catch let error as HTTPStatusError {
            // A server without such a list can be measured all the same, once its model is named.
            guard let wanted, error.status == 404 else { throw error.refusal }
            return ModelCard(name: wanted)
        }
        if let wanted { return cards.first { $0.name == wanted } ?? ModelCard(name: wanted) }
        guard let card = cards.first else {
            throw Refusal(
                client.target.baseURL + "/v1/models", "lists no model; name one with --model")
        }
        return card
    }

    /// What `/version` says, as vLLM and Skein have it, else what Skein's `/v1/cluster` says.
    private static func version(of client: ServingClient) async -> String? {
        for path in ["/version", "/v1/cluster"] {
            do {
                let fields = try await client.json(path).fields ?? [:]
                if let version = (fields["version"] ?? fields["head"]?.fields?["version"])?.string {
                    return String(version.prefix(100))
                }
            } catch {
                // Most servers do not tell.
            }
        }
        return nil
    }

    /// Names a model of which nothing else is known.
    init(name: String) { self.name = name }

    /// Reads an entry of the list.
    init?(_ value: JSONValue) {
        guard let fields = value.fields, let name = fields["id"]?.string else { return nil }
        self.name = name
        vocabularySize = fields["vocab_size"]?.count.flatMap {
            (1...Limits.vocabularyMax).contains($0) ? $0 : nil
        }
        positionCountMax = fields["max_model_len"]?.count
        ownedBy = fields["owned_by"]?.string
    }
}
