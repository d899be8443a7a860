public import SkeinCore

extension Topology {
    /// The cluster file that reads back as this topology.
    ///
    /// Texts stand in quotation marks wherever YAML could take them for something else, so that a
    /// key full of punctuation survives.
    public var yaml: String {
        var lines = [
            "cluster: \(Self.quoted(name))",
            "model: \(Self.quoted(modelPath))",
            "placement: \(placement.rawValue)",
            "context: \(positionCount)",
            "pages: \(pageCount)",
        ]
        lines += Self.line("micro_batches", microBatchesInFlightMax.map { String($0) })
        lines += Self.line("prefill_chunk", prefillChunkRowsMax.map { String($0) })
        lines += Self.line("prefix_cache", reusesPrefixes ? nil : "off")
        lines += Self.line("weights", weightForm == .native ? nil : weightForm.rawValue)
        lines += Self.line("packed_cache", packedCachePath.map(Self.quoted))
        lines += Self.line("latents", latentForm == .bf16 ? nil : latentForm.rawValue)
        lines += Self.line("steps_at_once", stepsAtOnce.map { String($0) })
        lines += Self.line("hop", hopForm == .bf16 ? nil : hopForm.rawValue)
        lines += Self.line("dispatch", dispatchForm == .bf16 ? nil : dispatchForm.rawValue)
        lines += Self.line("keys", keysPath.map(Self.quoted))
        lines += ["coordinator:", "  address: \(coordinator.address)"]
        lines += Self.line("  public_key", coordinator.publicKey.map(Self.quoted))
        lines += Self.line("  http", coordinator.httpAddress.map { Self.quoted($0.hostAndPort) })
        lines.append("nodes:")
        for node in nodes { lines += Self.lines(of: node) }
        return lines.joined(separator: "\n") + "\n"
    }

    // MARK: Rooms

    private static func lines(of node: Node) -> [String] {
        let ranges = node.layerRanges.map(Self.text)
        let parts = node.shard.map {
            "      - {layers: \(text($0.layers)), experts: \(text($0.experts))}"
        }
        let layers: String? =
            switch ranges.count {
            case 0: nil
            case 1: ranges[0]
            default: "[\(ranges.joined(separator: ", "))]"
            }
        return ["  - name: \(quoted(node.name))", "    address: \(node.address)"]
            + line("    public_key", node.publicKey.map(quoted))
            + line("    layers", layers)
            + (parts.isEmpty ? [] : ["    experts:"] + parts)
            + line("    threads", node.threadCount.map { String($0) })
            + line("    model", node.modelPath.map(quoted))
            + line("    standby", node.isStandby ? "true" : nil)
    }

    private static func text(_ range: Range<Int>) -> String {
        "\(range.lowerBound)-\(range.upperBound - 1)"
    }

    private static func line(_ field: String, _ value: String?) -> [String] {
        value.map { ["\(field): \($0)"] } ?? []
    }

    /// The text as it is where it is plainly a word or a path, else in double quotation marks.
    private static func quoted(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x2F, 0x5F: true
            default: false
            }
        }
        let first = text.utf8.first ?? 0
        let beginsPlain = first == 0x2F || first & 0xDF >= 0x41
        let isWord = ["null", "true", "false", "yes", "no", "on", "off"]
            .contains(text.lowercased())
        if isPlain, beginsPlain, !isWord { return text }
        // The reader takes & and * after white space or a quotation mark for an anchor or an alias.
        let hidesMarks = text.contains { $0.isWhitespace || ",\"'".contains($0) }
        let escaped = text.unicodeScalars.map { scalar in
            let isMark = scalar == "&" || scalar == "*"
            let isControl = scalar.value < 0x20 || (0x7F...0xA0).contains(scalar.value)
            if isControl || (isMark && hidesMarks) {
                return "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            }
            return scalar == "\"" || scalar == "\\" ? "\\\(scalar)" : String(scalar)
        }
        return "\"\(escaped.joined())\""
    }
}
