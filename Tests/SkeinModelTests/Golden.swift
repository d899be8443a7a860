import Foundation
import SkeinCore
import SkeinTensor

@testable import SkeinWeights

/// Finds and reads what lies under `Tests/Golden`.
enum Golden {
    /// The root of the repository.
    static let root: String = {
        var url = URL(fileURLWithPath: #filePath)
        while url.path != "/" {
            url.deleteLastPathComponent()
            if FileManager.default.fileExists(atPath: url.path + "/Package.swift"),
                FileManager.default.fileExists(atPath: url.path + "/Tests/Golden")
            {
                return url.path
            }
        }
        fatalError("no repository above \(#filePath)")
    }()

    static let oracle = root + "/Tests/Golden/oracle"
    static let gosling = root + "/Tests/Golden/gosling"
    static let goslingFP8 = root + "/cluster/models/gosling"

    static func decode<T: Decodable>(_ type: T.Type, _ path: String) throws -> T {
        try JSONDecoder().decode(type, from: Data(contentsOf: URL(fileURLWithPath: path)))
    }
}

/// A safetensors file of expected results.
struct GoldenTensors {
    private let file: SafetensorsFile

    init(_ path: String) throws { file = try SafetensorsFile(path: path) }

    func contains(_ name: String) -> Bool { file.header.tensors[name] != nil }

    func floats(_ name: String) throws -> [Float] {
        try words(name, .f32).map { Float(bitPattern: $0) }
    }

    func integers(_ name: String) throws -> [Int32] {
        try words(name, .i32).map { Int32(bitPattern: $0) }
    }

    private func words(_ name: String, _ type: ElementType) throws -> [UInt32] {
        guard let stored = file.header.tensors[name], stored.elementType == type else {
            throw Refusal(name, "is not among the expected tensors")
        }
        let bytes = file.bytes(stored.range).copied()
        return stride(from: 0, to: bytes.count, by: 4).map { first in
            (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[first + $1]) << UInt32(8 * $1) }
        }
    }
}

/// The `expected.json` of an oracle case, as far as the model needs it.
struct ExpectedCase: Decodable {
    struct Prompt: Decodable {
        let ids: [Int]
        let length: Int
        let greedy: [Int]
        let greedyMargin: [Float]

        enum CodingKeys: String, CodingKey {
            case ids, length, greedy
            case greedyMargin = "greedy_margin"
        }
    }

    struct Yardstick: Decodable {
        let rmsRelative: Double
        let maxAbsolute: Float
        let medianPositionRmsRelative: Double
        let worstPositionRmsRelative: Double

        enum CodingKeys: String, CodingKey {
            case rmsRelative = "rms_relative"
            case maxAbsolute = "max_absolute"
            case medianPositionRmsRelative = "median_position_rms_relative"
            case worstPositionRmsRelative = "worst_position_rms_relative"
        }
    }

    struct Prediction: Decodable {
        let prompt: Int
        let tokens: [Int]
        let draft: [Int]
        let draftMargin: [Float]
        let recursiveDraft: Int
        let recursiveDraftMargin: Float

        enum CodingKeys: String, CodingKey {
            case prompt, tokens, draft
            case draftMargin = "draft_margin"
            case recursiveDraft = "recursive_draft"
            case recursiveDraftMargin = "recursive_draft_margin"
        }
    }

    let detailPrompt: Int
    let prompts: [Prompt]
    let yardstick: Yardstick
    let forcedYardstick: Yardstick
    let mtp: Prediction?

    enum CodingKeys: String, CodingKey {
        case prompts, mtp
        case detailPrompt = "detail_prompt"
        case yardstick = "bfloat16_error_all"
        case forcedYardstick = "bfloat16_error_forced"
    }
}

/// How far numbers are from what they should be.
struct Deviation {
    /// rms of the difference over rms of the expected, all rows together.
    let rmsRelative: Double
    /// The same for each row; the median.
    let medianRowRmsRelative: Double
    let maxAbsolute: Float

    init(_ actual: [Float], from expected: [Float], columnCount: Int) {
        precondition(actual.count == expected.count, "\(actual.count) for \(expected.count)")
        var (error, size, largest) = (0.0, 0.0, Float(0))
        var rows: [Double] = []
        for first in stride(from: 0, to: actual.count, by: columnCount) {
            var (rowError, rowSize) = (0.0, 0.0)
            for place in first..<first + columnCount {
                let difference = actual[place] - expected[place]
                rowError += Double(difference) * Double(difference)
                rowSize += Double(expected[place]) * Double(expected[place])
                largest = max(largest, abs(difference))
            }
            rows.append((rowError / rowSize).squareRoot())
            (error, size) = (error + rowError, size + rowSize)
        }
        rmsRelative = (error / size).squareRoot()
        let sorted = rows.sorted()
        medianRowRmsRelative =
            sorted.count.isMultiple(of: 2)
            ? (sorted[sorted.count / 2 - 1] + sorted[sorted.count / 2]) / 2
            : sorted[sorted.count / 2]
        maxAbsolute = largest
    }
}
