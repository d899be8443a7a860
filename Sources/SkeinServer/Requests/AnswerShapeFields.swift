internal import SkeinCore
internal import SkeinText

/// Reads what a request says of the text of its answer, in the words of all servers.
///
/// OpenAI has `response_format`, vLLM `structured_outputs` and before it `guided_json`, SGLang
/// `json_schema`. What can be held is JSON: any object, or one that fulfils a schema.
struct AnswerShapeFields {
    private var found: [(path: String, content: AnswerDemand.Content)] = []

    /// What the text of an answer must be; `nil` where it may be anything.
    static func content(_ fields: RequestFields) throws(APIError) -> AnswerDemand.Content? {
        var shapes = AnswerShapeFields()
        try shapes.readResponseFormat(fields)
        try shapes.readStructuredOutputs(fields)
        for name in ["guided_json", "json_schema"] { try shapes.readSchema(fields, name) }
        guard shapes.found.count <= 1 else {
            let second = shapes.found[1].path
            throw .invalid(
                second, "\(second): \(shapes.found[0].path) is there already, expected one of them")
        }
        return shapes.found.first?.content
    }

    private mutating func readResponseFormat(_ fields: RequestFields) throws(APIError) {
        guard let form = try fields.fields("response_format") else { return }
        let path = fields.param("response_format")
        switch try form.text("type") {
        case "text": break
        case "json_object":
            let count = found.count
            try readSchema(form, "schema")
            if found.count == count { found.append((path, .object)) }
        case "json_schema":
            guard let inner = try form.fields("json_schema") else {
                throw .invalid(
                    form.param("json_schema"),
                    "\(form.param("json_schema")): is missing, expected an object")
            }
            // Whether it is strict or not, the answer is held to it.
            _ = try inner.flag("strict")
            guard let name = try inner.text("name"), (1...64).contains(name.utf8.count) else {
                throw inner.wrong("name", expected: "a name of 1 to 64 characters")
            }
            guard let schema = inner.value("schema"), schema.members != nil else {
                throw inner.wrong("schema", expected: "a JSON schema")
            }
            found.append((path, .schema(schema, path: inner.param("schema"))))
        default:
            throw form.wrong(
                "type", expected: "\"text\", \"json_object\" or \"json_schema\"")
        }
    }

    private mutating func readStructuredOutputs(_ fields: RequestFields) throws(APIError) {
        guard let form = try fields.fields("structured_outputs") else { return }
        for name in form.names where form.value(name) != nil {
            switch name {
            case "json": try readSchema(form, name)
            case "json_object":
                if try form.flag(name) == true { found.append((form.param(name), .object)) }
            case "disable_fallback", "backend", "_backend", "_backend_was_auto": break
            case "disable_any_whitespace", "disable_additional_properties":
                guard try form.flag(name) == true else { break }
                throw form.wrong(name, expected: "false: white space and schemas are taken as is")
            default:
                throw .invalid(
                    form.param(name),
                    "\(form.param(name)): answers are held to JSON only, expected json or "
                        + "json_object")
            }
        }
    }

    /// A schema, as an object or as the text of one.
    private mutating func readSchema(
        _ fields: RequestFields, _ name: String
    ) throws(APIError) {
        guard var value = fields.value(name) else { return }
        if let text = value.string {
            value = try RequestFields.json(Array(text.utf8), subject: fields.param(name))
        }
        guard value.members != nil else {
            throw fields.wrong(name, expected: "a JSON schema")
        }
        found.append((fields.param(name), .schema(value, path: fields.param(name))))
    }
}
