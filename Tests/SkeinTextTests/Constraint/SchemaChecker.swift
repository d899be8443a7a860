import Foundation
import SkeinCore
import SkeinText

/// Whether a value fulfils a JSON schema, by the definition and nothing else: it knows neither
/// grammars nor tokens, so that it can judge what a constraint lets through.
struct SchemaChecker {
    let root: JSONValue

    /// What is wrong with a text as a value of the schema; `nil` where nothing is.
    func fault(in text: String) -> String? {
        do {
            // The strictest of readers have a look first.
            _ = try JSONSerialization.jsonObject(
                with: Data(text.utf8), options: [.fragmentsAllowed])
            return fault(
                of: try JSONValue(parsing: text, subject: "answer", rules: .lenient), root, "$")
        } catch {
            return "\(error)"
        }
    }

    private func fault(of value: JSONValue, _ schema: JSONValue, _ way: String) -> String? {
        switch schema {
        case .bool(true): return nil
        case .object: break
        default: return "\(way): false"
        }
        for member in schema.members ?? [] {
            if let fault = fault(of: value, member.name, member.value, schema, way) { return fault }
        }
        return nil
    }

    private func fault(
        of value: JSONValue, _ name: String, _ rule: JSONValue, _ schema: JSONValue, _ way: String
    ) -> String? {
        let list = rule.array ?? []
        var isFine = true
        switch name {
        case "$ref": return fault(of: value, target(rule.string ?? "#"), way)
        case "allOf":
            return list.lazy.compactMap { fault(of: value, $0, way) }.first
        case "anyOf": isFine = list.contains { fault(of: value, $0, way) == nil }
        case "oneOf": isFine = list.count { fault(of: value, $0, way) == nil } == 1
        case "const": isFine = same(value, rule)
        case "enum": isFine = list.contains { same(value, $0) }
        case "type":
            let names = rule.array == nil ? [rule] : list
            isFine = names.contains { isOf(value, $0.string ?? "") }
        default:
            switch value {
            case .object(let members): return objectFault(members, name, rule, schema, way)
            case .array(let elements): return arrayFault(elements, name, rule, schema, way)
            case .string(let text): isFine = fulfils(text, name, rule)
            case .number: isFine = fulfils(value.double ?? .nan, name, rule)
            case .bool, .null: break
            }
        }
        return isFine ? nil : "\(way): \(name) \(rule.pythonText) of \(value.pythonText.prefix(80))"
    }

    private func objectFault(
        _ members: [JSONValue.Member], _ name: String, _ rule: JSONValue, _ schema: JSONValue,
        _ way: String
    ) -> String? {
        // As every reader has it, the last of several with one name counts.
        var values: [String: JSONValue] = [:]
        for member in members { values[member.name] = member.value }
        switch name {
        case "properties":
            for property in rule.members ?? [] {
                guard let value = values[property.name] else { continue }
                if let fault = fault(of: value, property.value, "\(way).\(property.name)") {
                    return fault
                }
            }
        case "required":
            for name in rule.array ?? [] where values[name.string ?? ""] == nil {
                return "\(way): lacks \(name.pythonText)"
            }
        case "additionalProperties":
            for (name, value) in values where schema["properties"]?[name] == nil {
                if let fault = fault(of: value, rule, "\(way).\(name)") { return fault }
            }
        case "minProperties": if values.count < rule.integer ?? 0 { return "\(way): few" }
        case "maxProperties": if values.count > rule.integer ?? .max { return "\(way): many" }
        default: break
        }
        return nil
    }

    private func arrayFault(
        _ elements: [JSONValue], _ name: String, _ rule: JSONValue, _ schema: JSONValue,
        _ way: String
    ) -> String? {
        let prefix = schema["prefixItems"]?.array ?? []
        switch name {
        case "prefixItems":
            for (index, (element, rule)) in zip(elements, prefix).enumerated() {
                if let fault = fault(of: element, rule, "\(way)[\(index)]") { return fault }
            }
        case "items":
            for (index, element) in elements.enumerated().dropFirst(prefix.count) {
                if let fault = fault(of: element, rule, "\(way)[\(index)]") { return fault }
            }
        case "minItems": if elements.count < rule.integer ?? 0 { return "\(way): few" }
        case "maxItems": if elements.count > rule.integer ?? .max { return "\(way): many" }
        default: break
        }
        return nil
    }

    private func fulfils(_ text: String, _ name: String, _ rule: JSONValue) -> Bool {
        let count = text.unicodeScalars.count
        switch name {
        case "minLength": return count >= rule.integer ?? 0
        case "maxLength": return count <= rule.integer ?? .max
        case "pattern":
            let range = NSRange(text.startIndex..., in: text)
            let expression = try? NSRegularExpression(pattern: rule.string ?? "")
            return expression?.firstMatch(in: text, range: range) != nil
        case "format":
            switch rule.string {
            case "uuid": return UUID(uuidString: text) != nil
            case "date": return Self.isDate(text)
            case "date-time":
                return ISO8601DateFormatter().date(from: text) != nil
                    || text.contains(".") || text.contains(":")
            default: return true
            }
        default: return true
        }
    }

    private static func isDate(_ text: String) -> Bool {
        let parts = text.split(separator: "-").compactMap { Int($0) }
        guard parts.count == 3, text.utf8.count == 10 else { return false }
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        let components = DateComponents(year: parts[0], month: parts[1], day: parts[2])
        return components.isValidDate(in: calendar)
    }

    private func fulfils(_ number: Double, _ name: String, _ rule: JSONValue) -> Bool {
        guard let bound = rule.double else { return true }
        switch name {
        case "minimum": return number >= bound
        case "maximum": return number <= bound
        case "exclusiveMinimum": return number > bound
        case "exclusiveMaximum": return number < bound
        case "multipleOf": return (number / bound).rounded() == number / bound
        default: return true
        }
    }

    private func isOf(_ value: JSONValue, _ type: String) -> Bool {
        switch (value, type) {
        case (.object, "object"), (.array, "array"), (.string, "string"), (.number, "number"),
            (.bool, "boolean"), (.null, "null"):
            true
        case (.number, "integer"): value.double.map { $0 == $0.rounded() } ?? false
        default: false
        }
    }

    private func same(_ one: JSONValue, _ other: JSONValue) -> Bool {
        if let left = one.double, let right = other.double { return left == right }
        return one == other
    }

    private func target(_ reference: String) -> JSONValue {
        var found = root
        for step in reference.split(separator: "/").dropFirst() {
            let name = String(step).replacing("~1", with: "/").replacing("~0", with: "~")
            found = found[name] ?? found.array?[Int(name) ?? 0] ?? .bool(false)
        }
        return found
    }
}
