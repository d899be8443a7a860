import Foundation

extension Fixture {
    /// A file of the oracle's test vectors.
    static func vectors<T: Decodable>(_ name: String, as type: T.Type) throws -> T {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let file = root.appending(path: "Golden/oracle/vectors/\(name)")
        return try JSONDecoder().decode(type, from: Data(contentsOf: file))
    }
}
