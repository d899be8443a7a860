internal import Foundation
public import SkeinCore

/// All that decides which bytes a run writes, kept beside its file so that only the same run goes
/// on with it.
public struct RolloutSettings: Equatable, Sendable {
    /// The settings by name, in the order in which people read them.
    public let members: [JSONValue.Member]

    /// Names the settings.
    public init(_ members: [JSONValue.Member]) { self.members = members }

    /// Where the settings of a file are kept.
    public static func path(beside path: String) -> String { path + ".settings" }

    /// Settings that an earlier run wrote; `nil` where there are none.
    static func read(_ path: String) throws(Refusal) -> RolloutSettings? {
        guard let bytes = FileManager.default.contents(atPath: path) else { return nil }
        guard bytes.count <= Limits.smallFileBytesMax,
            let members = try JSONValue(parsing: Array(bytes), subject: path).members
        else {
            throw Refusal(path, "is in the way: it holds no settings of an earlier run")
        }
        return RolloutSettings(members)
    }

    /// Refuses to go on where an earlier run had other settings.
    ///
    /// - Parameters:
    ///   - earlier: what that run had.
    ///   - path: where they are kept.
    func check(against earlier: RolloutSettings, path: String) throws(Refusal) {
        for member in members {
            let before = earlier.members.last { $0.name == member.name }?.value
            guard before != member.value else { continue }
            throw Refusal(
                "\(path): \(member.name)",
                "the file was begun with \(before?.summary ?? "none"), found "
                    + "\(member.value.summary); expected the same, or another --out")
        }
    }

    /// Writes the settings; they are on the disk when this returns.
    func write(to path: String) throws(Refusal) {
        let temporary = path + ".new"
        do {
            try Data(JSONValue.object(members).text.utf8).write(to: URL(filePath: temporary))
            let file = try FileHandle(forUpdating: URL(filePath: temporary))
            try file.synchronize()
            try file.close()
        } catch {
            throw Refusal(temporary, "cannot be written: \(error.localizedDescription)")
        }
        guard rename(temporary, path) == 0 else { throw Refusal(path, "cannot be written") }
    }
}
