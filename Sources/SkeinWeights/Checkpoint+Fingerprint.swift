public import SkeinCore
import SkeinTensor

extension Checkpoint {
    /// A number by which nodes see that their folders hold the same checkpoint: SHA-256 in hex.
    ///
    /// It covers the whole `config.json` (parsed, keys sorted, so that white space does not
    /// count), and of every weight file its name, size, header and 16 evenly spread samples of
    /// 4 KiB; files of up to 64 KiB of data are covered whole.
    ///
    /// Promised: a copy of a folder has the same fingerprint; another configuration, another set
    /// of tensors, other sizes or another training of the same model has a different one. Not
    /// promised: a few bytes changed between the samples are not seen. It guards against
    /// mistakes, not against an opponent who can write to a node's disk.
    ///
    /// - Parameter form: what nodes make of the weights: nodes of one cluster make the same.
    public func fingerprint(of form: WeightForm = .native) throws(Refusal) -> String {
        var hash = SHA256()
        if form != .native { Self.add("weights \(form.rawValue)", to: &hash) }
        Self.add("skein checkpoint 1", to: &hash)
        Self.add(document.canonical.text, to: &hash)
        for shard in index.shardNames.indices { try add(shard: shard, to: &hash) }
        return hash.hex
    }

    static var sampleCount: Int { 16 }
    static var sampleBytes: Int { 4 << 10 }

    /// The ranges of a file's data that are read; they do not overlap and are in order.
    static func sampleRanges(of payload: Range<Int>) -> [Range<Int>] {
        guard payload.count > sampleCount * sampleBytes else { return [payload] }
        let last = payload.upperBound - sampleBytes
        return (0..<sampleCount).map { sample in
            let first =
                payload.lowerBound + (last - payload.lowerBound) * sample / (sampleCount - 1)
            return first..<(first + sampleBytes)
        }
    }

    private func add(shard: Int, to hash: inout SHA256) throws(Refusal) {
        let path = path(ofShard: shard)
        let byteCount = try FileFacts.existing(path).byteCount
        let reader = try FileReader(path)
        let lengthBytes = SafetensorsHeader.lengthBytes
        let prefix = try reader.bytes(0..<min(lengthBytes, byteCount))
        let headerCount = try SafetensorsHeader.jsonByteCount(
            prefix: prefix, fileByteCount: byteCount, subject: path)
        let dataStart = lengthBytes + headerCount
        Self.add(index.shardNames[shard], to: &hash)
        Self.add(String(byteCount), to: &hash)
        Self.add(try reader.bytes(lengthBytes..<dataStart), to: &hash)
        for range in Self.sampleRanges(of: dataStart..<byteCount) {
            Self.add(try reader.bytes(range), to: &hash)
        }
    }

    private static func add(_ text: String, to hash: inout SHA256) {
        add(Array(text.utf8), to: &hash)
    }

    /// Adds a part with its length before it, so that no two lists of parts look alike.
    private static func add(_ bytes: [UInt8], to hash: inout SHA256) {
        hash.update((0..<8).map { UInt8(truncatingIfNeeded: bytes.count >> (8 * $0)) })
        hash.update(bytes)
    }
}
