internal import SkeinCore

// What may change while a front serves, and what it was asked for beside completions.
extension HTTPFront {
    /// From now on other keys let clients in; requests that are in go on.
    ///
    /// Where the front was made without keys, everybody stays welcome.
    public nonisolated func replaceKeys(by keys: APIKeys) { routes.replaceKeys(by: keys) }

    /// The keys that let clients in now.
    public nonisolated var apiKeys: APIKeys? { routes.apiKeys }

    /// From now on new connections are shown another certificate; those that stand go on.
    public nonisolated func replaceIdentity(by identity: TLSIdentity) {
        self.identity?.replace(by: identity)
    }

    /// Whether the whole cluster was asked to end.
    public nonisolated var isAskedToEnd: Bool { routes.isAskedToEnd }

    /// How many completions run.
    public nonisolated var runningCount: Int { routes.runningCount }
}
