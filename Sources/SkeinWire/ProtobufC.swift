// Memory of protobuf-c messages: an arena for those we pack, an owner for those we parse.

import CProtobufC
import CSkeinProto
import SkeinCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Memory for the C structures of one message being packed; all of it goes at once.
final class PackingArena {
    private var blocks: [UnsafeMutableRawPointer] = []

    deinit { for block in blocks { block.deallocate() } }

    /// A structure with protobuf-c's defaults.
    func message<Message>(
        _ initialize: (UnsafeMutablePointer<Message>?) -> Void
    ) -> UnsafeMutablePointer<Message> {
        let message = allocate(Message.self, count: 1)
        initialize(message)
        return message
    }

    /// A list of plain numbers or of structures.
    func list<Element>(_ values: [Element]) -> UnsafeMutablePointer<Element>? {
        guard !values.isEmpty else { return nil }
        let start = allocate(Element.self, count: values.count)
        start.initialize(from: values, count: values.count)
        return start
    }

    /// A C string.
    func text(_ text: String) -> UnsafeMutablePointer<CChar>? {
        list(text.utf8.map { CChar(bitPattern: $0) } + [0])
    }

    /// A C string, cut at a character so that it has at most `bytesMax` bytes.
    func text(_ text: String, cutTo bytesMax: Int) -> UnsafeMutablePointer<CChar>? {
        guard text.utf8.count > bytesMax else { return self.text(text) }
        var cut = ""
        for scalar in text.unicodeScalars {
            guard cut.utf8.count + UTF8.width(scalar) + 3 <= bytesMax else { break }
            cut.unicodeScalars.append(scalar)
        }
        return self.text(cut + "…")
    }

    private func allocate<Element>(
        _ type: Element.Type, count: Int
    ) -> UnsafeMutablePointer<Element> {
        let start = UnsafeMutablePointer<Element>.allocate(capacity: count)
        blocks.append(UnsafeMutableRawPointer(start))
        return start
    }
}

/// An envelope as protobuf-c reads it, with the memory that it may take kept in bounds.
///
/// protobuf-c allocates by counts found in the bytes. The allowance is a small multiple of what the
/// bytes themselves take, so nobody makes us allocate much by sending little.
struct UnpackedEnvelope {
    let pointer: UnsafeMutablePointer<Skein__V1__Envelope>

    /// Reads the bytes; `nil` where they are no envelope or would take too much memory.
    init?(_ bytes: [UInt8]) {
        var restBytes = bytes.count * Limits.unpackBytesPerByte + Limits.unpackSlackBytes
        let unpacked = withUnsafeMutablePointer(to: &restBytes) { rest in
            var allocator = Self.allocator(rest)
            return skein__v1__envelope__unpack(&allocator, bytes.count, bytes)
        }
        guard let unpacked else { return nil }
        pointer = unpacked
    }

    /// Gives the memory back; the pointer is dead afterwards.
    func free() {
        var allocator = Self.allocator(nil)
        skein__v1__envelope__free_unpacked(pointer, &allocator)
    }

    private static func allocator(_ restBytes: UnsafeMutablePointer<Int>?) -> ProtobufCAllocator {
        ProtobufCAllocator(
            alloc: { rest, size in
                guard let rest = rest?.assumingMemoryBound(to: Int.self), size >= 0,
                    size <= rest.pointee
                else { return nil }
                rest.pointee -= size
                return malloc(size)
            },
            free: { _, block in sys_free(block) }, allocator_data: restBytes)
    }
}

private func sys_free(_ block: UnsafeMutableRawPointer?) { free(block) }
