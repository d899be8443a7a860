import Foundation
import SkeinCore
import SkeinTensor
import Testing

@Suite struct MappedFileTests {
    private func temporaryFile(_ bytes: [UInt8]) throws -> String {
        let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).bin").path
        try Data(bytes).write(to: URL(filePath: path))
        return path
    }

    /// A file that is gone from its folder as soon as it is mapped.
    private func mapped(_ bytes: [UInt8]) throws -> MappedFile {
        let path = try temporaryFile(bytes)
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(atPath: path) } }
        return try MappedFile(path: path)
    }

    @Test func partsOfAFileAreItsBytes() throws {
        let file = try mapped(Array(0..<200))
        #expect(file.byteCount == 200)
        let part = file.bytes(10..<20)
        #expect(part.copied() == Array(10..<20))
        #expect(part.subrange(3..<5).copied() == [13, 14])
        #expect(part.withBytes { $0.unsafeLoad(fromByteOffset: 9, as: UInt8.self) } == 19)
    }

    @Test(arguments: [1, 2])
    func touchingBringsEveryPageIntoMemory(threadCount: Int) throws {
        let byteCount = 9 << 20
        let path = try temporaryFile([UInt8](repeating: 7, count: byteCount))
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(atPath: path) } }
        let bytes = try MappedFile(path: path).bytes(1..<byteCount)
        bytes.readAhead()
        bytes.touch(on: ComputePool(threadCount: threadCount))
        #if os(Linux)
        #expect(try residentKilobytes(ofFile: path) == byteCount >> 10)
        #endif
        #expect(bytes.withBytes { $0.unsafeLoad(as: UInt8.self) } == 7)
    }

    /// How much of a mapped file this process sees in memory.
    private func residentKilobytes(ofFile path: String) throws -> Int? {
        // In many pieces, of which a string of a file takes only the first.
        let map = try FileHandle(forReadingFrom: URL(filePath: "/proc/self/smaps")).readToEnd()
        let lines = String(decoding: map ?? Data(), as: UTF8.self).split(separator: "\n")
        return lines.drop { !$0.hasSuffix(path) }.first { $0.hasPrefix("Rss:") }
            .flatMap { Int($0.split(separator: " ")[1]) }
    }

    @Test func nothingIsTouchedOfNothing() throws {
        let file = try mapped([1])
        file.bytes(1..<1).readAhead()
        file.bytes(1..<1).touch(on: ComputePool(threadCount: 2))
    }

    @Test func aMissingFileIsRefusedByItsName() {
        #expect {
            try MappedFile(path: "/nowhere/model.safetensors")
        } throws: { error in
            (error as? Refusal)?.subject == "/nowhere/model.safetensors"
        }
    }

    @Test func aFolderIsRefused() {
        #expect(throws: Refusal.self) { try MappedFile(path: "/") }
    }

    @Test func anEmptyFileHasNoBytes() throws {
        let file = try mapped([])
        #expect(file.byteCount == 0)
        #expect(file.bytes(0..<0).copied().isEmpty)
    }

    @Test func memoryIsReported() {
        let memory = MachineMemory.now()
        #expect(memory.residentBytes > 0 && memory.peakResidentBytes >= memory.residentBytes / 2)
    }
}
