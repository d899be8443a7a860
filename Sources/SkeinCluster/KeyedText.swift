import SkeinCore
import Yams

/// The text of a cluster file, to which public keys are written without touching the rest.
struct KeyedText {
    private let path: String
    private let bytes: [UInt8]
    private let lines: [[Unicode.Scalar]]

    /// One change: scalars of a line that give way to others, or a new line after it.
    private struct Edit {
        let line: Int
        let columns: Range<Int>
        let text: String
        var isNewLine = false
    }

    init(_ bytes: [UInt8], path: String) {
        self.path = path
        self.bytes = bytes
        lines = String(decoding: bytes, as: UTF8.self).unicodeScalars
            .split(separator: "\n", omittingEmptySubsequences: false).map(Array.init)
    }

    /// The text in which the file names the keys of a topology that is otherwise the file's own.
    ///
    /// Comments, order and form stay. Where they cannot, since the text that results would not read
    /// back as the topology, the file is written again.
    ///
    /// - Parameter keysFolder: what the file should say for `keys`, where it says nothing yet.
    func text(
        naming topology: Topology, keysFolder: String?
    ) throws(Refusal) -> (text: String, keepsForm: Bool) {
        if let edits = try edits(naming: topology, keysFolder: keysFolder) {
            let text = applied(edits)
            do throws(Refusal) {
                if try ClusterFile.parse(Array(text.utf8), path: path) == topology {
                    return (text, true)
                }
            } catch {
                // What a change has broken is put right by writing the whole file.
            }
        }
        return (try topology.checkedYAML(path: path), false)
    }

    // MARK: - Private

    private func edits(
        naming topology: Topology, keysFolder: String?
    ) throws(Refusal) -> [Edit]? {
        guard case .mapping(let root) = try ClusterFile.compose(bytes, path: path),
            case .mapping(let coordinator)? = root["coordinator"],
            case .sequence(let nodes)? = root["nodes"], nodes.count == topology.nodes.count
        else { return nil }
        var edits: [Edit?] = []
        if let keysFolder {
            edits.append(edit("keys", FileText.quoted(keysFolder), after: "pages", in: root))
        }
        let named =
            [(coordinator, topology.coordinator.publicKey)]
            + zip(nodes, topology.nodes).map { ($0.mapping ?? .init([]), $1.publicKey) }
        for (mapping, key) in named {
            guard let key else { continue }
            edits.append(edit("public_key", "\"\(key)\"", after: "address", in: mapping))
        }
        let found = edits.compactMap(\.self)
        return found.count == edits.count ? found : nil
    }

    /// The edit by which a field of a mapping has a value; it stands after another where it is new.
    private func edit(
        _ field: String, _ value: String, after neighbour: String, in mapping: Node.Mapping
    ) -> Edit? {
        let isFlow = isInBraces(mapping)
        if let present = mapping[Node(field)], let place = place(of: present, inFlow: isFlow) {
            return Edit(line: place.line, columns: place.columns, text: value)
        }
        guard let beside = mapping[Node(neighbour)], let place = place(of: beside, inFlow: isFlow),
            let firstKey = mapping.first?.key.mark
        else { return nil }
        let end = place.columns.upperBound
        if isFlow {
            return Edit(line: place.line, columns: end..<end, text: ", \(field): \(value)")
        }
        let indentation = String(repeating: " ", count: max(0, firstKey.column - 1))
        return Edit(
            line: place.line, columns: end..<end, text: "\(indentation)\(field): \(value)",
            isNewLine: true)
    }

    /// Whether a mapping is written in braces, as the text says: Yams takes the style from the
    /// mapping's end, where it is not told.
    private func isInBraces(_ mapping: Node.Mapping) -> Bool {
        guard let mark = mapping.mark, lines.indices.contains(mark.line - 1) else { return false }
        let line = lines[mark.line - 1]
        return line.indices.contains(mark.column - 1) && line[mark.column - 1] == "{"
    }

    /// Where a scalar stands; `nil` where it does not end on its line.
    private func place(
        of node: Node, inFlow isFlow: Bool
    ) -> (line: Int, columns: Range<Int>)? {
        guard case .scalar = node, let mark = node.mark, lines.indices.contains(mark.line - 1)
        else { return nil }
        let (line, start) = (lines[mark.line - 1], mark.column - 1)
        guard line.indices.contains(start) else { return nil }
        var end = start + 1
        let quote = line[start]
        if quote == "\"" || quote == "'" {
            while end < line.count, line[end] != quote {
                end += quote == "\"" && line[end] == "\\" ? 2 : 1
            }
            guard end < line.count else { return nil }
            return (mark.line - 1, start..<end + 1)
        }
        while end < line.count {
            if isFlow, line[end] == "," || line[end] == "}" { break }
            if line[end] == "#", line[end - 1].properties.isWhitespace { break }
            end += 1
        }
        while end > start + 1, line[end - 1].properties.isWhitespace { end -= 1 }
        return (mark.line - 1, start..<end)
    }

    private func applied(_ edits: [Edit]) -> String {
        var lines = lines
        // From the end on, so that the places of those before stay what they are.
        for edit in edits.sorted(by: {
            ($0.line, $0.columns.lowerBound) > ($1.line, $1.columns.lowerBound)
        }) {
            let text = Array(edit.text.unicodeScalars)
            if edit.isNewLine {
                let ending: [Unicode.Scalar] = lines[edit.line].last == "\r" ? ["\r"] : []
                lines.insert(text + ending, at: edit.line + 1)
            } else {
                lines[edit.line].replaceSubrange(edit.columns, with: text)
            }
        }
        var text = String.UnicodeScalarView()
        text.append(contentsOf: lines.joined(separator: ["\n"]))
        return String(text)
    }
}
