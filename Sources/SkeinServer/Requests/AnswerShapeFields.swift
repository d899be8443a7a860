internal import SkeinCore
internal import SkeinText

/// Reads what a request says of the text of its answer, in the words of all servers.
///
/// OpenAI has `response_format`, vLLM `structured_outputs` and before it `guided_json`,
/// `guided_regex` and `guided_choice`, SGLang `json_schema` and `regex`. What can be held is JSON,
/// any object or a value of a schema, a regular expression, and one text of several.
struct AnswerShapeFields {
    private var found: [(path: String, content: AnswerDemand.Content)] = []

    /// What the text of an answer must be; `nil` where it may be anything.
    static func content(_ fields: RequestFields) throws(APIError) -> AnswerDemand.Content? {
        var shapes = AnswerShapeFields()
        try shapes.readResponseFormat(fields)
        try shapes.readStructuredOutputs(fields)
        for name in ["guided_json", "json_schema"] { try shapes.readSchema(fields, name) }
        for name in ["guided_regex", "regex"] { try shapes.readPattern(fields, name) }
        try shapes.readChoice(fields, "guided_choice")
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
            case "regex": try readPattern(form, name)
            case "choice": try readChoice(form, name)
            case "json_object":
                if try form.flag(name) == true { found.append((form.param(name), .object)) }
            case "disable_fallback", "backend", "_backend", "_backend_was_auto": break
            case "disable_any_whitespace", "disable_additional_properties":
                guard try form.flag(name) == true else { break }
                throw form.wrong(name, expected: "false: white space and schemas are taken as is")
            default:
                throw .invalid(
                    form.param(name),
                    "\(form.param(name)): answers are held to json, json_object, regex or choice "
                        + "only")
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

    /// A regular expression that the whole answer fulfils.
    private mutating func readPattern(_ fields: RequestFields, _ name: String) throws(APIError) {
        guard let source = try fields.text(name) else { return }
        let path = fields.param(name)
        found.append((path, .pattern(source, path: path)))
    }

    /// Texts of which the answer is one.
    private mutating func readChoice(_ fields: RequestFields, _ name: String) throws(APIError) {
        guard let elements = try fields.elements(name, countMax: Limits.answerChoicesMax) else {
            return
        }
        let texts = elements.compactMap(\.string)
        guard texts.count == elements.count, !texts.isEmpty else {
            throw fields.wrong(name, expected: "a list of texts, not empty")
        }
        let path = fields.param(name)
        found.append((path, .choice(texts, path: path)))
    }
}
