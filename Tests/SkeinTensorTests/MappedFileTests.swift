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

    @Test func partsOfAFileAreItsBytes() throws {
        let path = try temporaryFile(Array(0..<200))
        let file = try MappedFile(path: path)
        try FileManager.default.removeItem(atPath: path)
        #expect(file.byteCount == 200)
        let part = file.bytes(10..<20)
        #expect(part.copied() == Array(10..<20))
        #expect(part.subrange(3..<5).copied() == [13, 14])
        #expect(part.withBytes { $0.unsafeLoad(fromByteOffset: 9, as: UInt8.self) } == 19)
    }

    @Test func touchingReportsAllBytes() throws {
        let path = try temporaryFile([UInt8](repeating: 7, count: 100_001))
        let file = try MappedFile(path: path)
        var seen: [Int] = []
        file.bytes(1..<100_001).touch { seen.append($0) }
        #expect(seen.last == 100_000)
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
        let file = try MappedFile(path: try temporaryFile([]))
        #expect(file.byteCount == 0)
        #expect(file.bytes(0..<0).copied().isEmpty)
    }

    @Test func memoryIsReported() {
        let memory = MachineMemory.now()
        #expect(memory.residentBytes > 0 && memory.peakResidentBytes >= memory.residentBytes / 2)
    }
}
