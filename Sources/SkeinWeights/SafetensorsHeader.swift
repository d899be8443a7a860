public import SkeinCore
public import SkeinTensor

/// One tensor as a safetensors file stores it.
public struct StoredTensor: Equatable, Sendable {
    /// The name in the file.
    public let name: String

    /// How its numbers are stored.
    public let elementType: ElementType

    /// Its sizes, outermost first; empty for a single number.
    public let shape: [Int]

    /// Its bytes, counted from the beginning of the file.
    public let range: Range<Int>
}

/// The header of a safetensors file: eight bytes of length, then JSON.
///
/// Everything that the format promises is checked before a byte of data is looked at: known
/// types, sizes that agree with offsets, and data that is covered once and without gaps.
public struct SafetensorsHeader: Sendable {
    /// The tensors by name.
    public let tensors: [String: StoredTensor]

    /// Where the data begins, counted from the beginning of the file.
    public let dataStart: Int

    /// Bytes of the length field.
    static let lengthBytes = 8

    /// Reads the length of the JSON part from the first eight bytes.
    ///
    /// - Parameters:
    ///   - prefix: the first eight bytes of the file, fewer where it is shorter.
    ///   - fileByteCount: size of the whole file.
    ///   - subject: the file's name for refusals.
    public static func jsonByteCount(
        prefix: [UInt8], fileByteCount: Int, subject: String
    ) throws(Refusal) -> Int {
        guard prefix.count >= lengthBytes, fileByteCount >= lengthBytes else {
            throw Refusal(
                subject, "\(fileByteCount) bytes are no safetensors file; its header is cut off")
        }
        let length = prefix.prefix(lengthBytes).reversed().reduce(UInt64(0)) {
            $0 << 8 | UInt64($1)
        }
        guard length <= UInt64(Limits.safetensorsHeaderBytesMax) else {
            throw Refusal(
                subject,
                "the header says it has \(length) bytes, expected at most "
                    + "\(Limits.safetensorsHeaderBytesMax)")
        }
        guard Int(length) <= fileByteCount - lengthBytes else {
            throw Refusal(
                subject,
                "the header says it has \(length) bytes, but the file ends after "
                    + "\(fileByteCount); it is truncated")
        }
        return Int(length)
    }

    /// Reads the JSON part.
    ///
    /// - Parameters:
    ///   - json: the bytes after the length field; spaces at the end are padding.
    ///   - fileByteCount: size of the whole file.
    ///   - subject: the file's name for refusals.
    public init(json: [UInt8], fileByteCount: Int, subject: String) throws(Refusal) {
        let document = try JSONValue(parsing: json, subject: "\(subject): header")
        guard let members = document.members else {
            throw Refusal("\(subject): header", "found \(document.summary), expected an object")
        }
        let dataStart = Self.lengthBytes + json.count
        var tensors: [String: StoredTensor] = [:]
        tensors.reserveCapacity(members.count)
        for member in members {
            let name = member.name
            guard name != "__metadata__" else {
                try Self.check(metadata: member.value, subject: subject)
                continue
            }
            let tensor = try Self.tensor(
                name, member.value, payload: dataStart..<max(dataStart, fileByteCount),
                subject: subject)
            guard tensors.updateValue(tensor, forKey: name) == nil else {
                throw Refusal("\(subject): \(name)", "stands there in two spellings")
            }
        }
        try Self.checkCoverage(
            of: tensors, payload: dataStart..<max(dataStart, fileByteCount), subject: subject)
        self.tensors = tensors
        self.dataStart = dataStart
    }

    private static func check(metadata: JSONValue, subject: String) throws(Refusal) {
        guard let members = metadata.members else {
            throw Refusal(
                "\(subject): __metadata__", "found \(metadata.summary), expected an object")
        }
        for member in members where member.value.string == nil {
            throw Refusal(
                "\(subject): __metadata__: \(member.name)",
                "found \(member.value.summary), expected a text")
        }
    }

    private static func tensor(
        _ name: String, _ value: JSONValue, payload: Range<Int>, subject: String
    ) throws(Refusal) -> StoredTensor {
        let subject = "\(subject): \(name)"
        guard value.members != nil else {
            throw Refusal(subject, "found \(value.summary), expected an object")
        }
        guard let typeName = value["dtype"]?.string else {
            throw Refusal(subject, "dtype is missing or no text")
        }
        guard let elementType = ElementType(safetensorsName: typeName) else {
            throw Refusal(subject, "dtype \"\(typeName.prefix(40))\" is unknown")
        }
        let shape = try sizes(value["shape"], "shape", subject: subject)
        let offsets = try sizes(value["data_offsets"], "data_offsets", subject: subject)
        guard offsets.count == 2, offsets[0] <= offsets[1] else {
            throw Refusal(subject, "data_offsets \(offsets), expected a beginning and an end")
        }
        guard offsets[1] <= payload.count else {
            throw Refusal(
                subject,
                "data_offsets \(offsets) lie beyond the data's \(payload.count) bytes; "
                    + "the file is truncated or damaged")
        }
        var byteCount = elementType.byteCount
        for size in shape {
            let (product, overflows) = byteCount.multipliedReportingOverflow(by: size)
            guard !overflows else { throw Refusal(subject, "shape \(shape) is absurdly large") }
            byteCount = product
        }
        guard byteCount == offsets[1] - offsets[0] else {
            throw Refusal(
                subject,
                "shape \(shape) in \(typeName) takes \(byteCount) bytes, but data_offsets "
                    + "\(offsets) hold \(offsets[1] - offsets[0])")
        }
        return StoredTensor(
            name: name, elementType: elementType, shape: shape,
            range: (payload.lowerBound + offsets[0])..<(payload.lowerBound + offsets[1]))
    }

    private static func sizes(
        _ value: JSONValue?, _ key: String, subject: String
    ) throws(Refusal) -> [Int] {
        guard case .array(let values)? = value, values.count <= Limits.tensorDimensionsMax else {
            throw Refusal(
                subject, "\(key) is \(value?.summary ?? "missing"), expected a list of sizes")
        }
        var sizes: [Int] = []
        for value in values {
            guard let size = value.integer, size >= 0 else {
                throw Refusal(
                    subject, "\(key) holds \(value.summary), expected whole numbers from 0 on")
            }
            sizes.append(size)
        }
        return sizes
    }

    private static func checkCoverage(
        of tensors: [String: StoredTensor], payload: Range<Int>, subject: String
    ) throws(Refusal) {
        let sorted = tensors.values.sorted {
            ($0.range.lowerBound, $0.range.upperBound, $0.name)
                < ($1.range.lowerBound, $1.range.upperBound, $1.name)
        }
        var end = payload.lowerBound
        for tensor in sorted {
            guard tensor.range.lowerBound >= end else {
                throw Refusal("\(subject): \(tensor.name)", "its data overlaps another tensor's")
            }
            guard tensor.range.lowerBound == end else {
                throw Refusal(
                    "\(subject): \(tensor.name)",
                    "\(tensor.range.lowerBound - end) bytes before its data belong to no tensor")
            }
            end = tensor.range.upperBound
        }
        guard end == payload.upperBound else {
            throw Refusal(
                subject, "the last \(payload.upperBound - end) bytes belong to no tensor")
        }
    }
}
