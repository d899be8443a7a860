import SkeinCore
import Testing

@testable import SkeinText

/// Answers under a constraint: whatever is drawn, what becomes whole is a value of the schema.
@Suite struct AnswerConstraintTests {
    @Test(arguments: 0..<200)
    func everyWholeAnswerFulfilsARandomSchema(_ seed: Int) async throws {
        var maker = RandomSchema(seed: UInt64(seed))
        let schema = maker.schema()
        let rig = try await ConstraintRig(schema: schema)
        let checker = SchemaChecker(root: schema)
        var wholeCount = 0
        for walk in 0..<8 {
            let (tokens, ending) = rig.walk(seed: UInt64(seed * 100 + walk))
            let text = rig.text(tokens)
            guard ending == .complete else {
                #expect(ending == .cut, "\(schema.pythonText) after \(text)")
                continue
            }
            wholeCount += 1
            let fault = checker.fault(in: text)
            #expect(fault == nil, "\(schema.pythonText) has the answer \(text)")
        }
        #expect(wholeCount > 0, "\(schema.pythonText)")
    }

    @Test(arguments: Self.schemas)
    func everyWholeAnswerFulfilsTheSchema(_ text: String) async throws {
        let schema = try JSONValue(parsing: text, subject: "schema")
        let rig = try await ConstraintRig(schema: schema)
        let checker = SchemaChecker(root: schema)
        var texts: Set<String> = []
        for seed in 0..<40 {
            let (tokens, ending) = rig.walk(seed: UInt64(seed))
            #expect(ending == .complete)
            texts.insert(rig.text(tokens))
        }
        for text in texts {
            let fault = checker.fault(in: text)
            #expect(fault == nil, "\(text)")
        }
        #expect(texts.count > 1)
    }

    static let schemas = [
        #"{"type":"object","properties":{"sum":{"type":"integer"}},"required":["sum"]}"#,
        #"{"type":"array","items":{"type":"number","minimum":-2.5,"maximum":17.25},"maxItems":4}"#,
        #"{"type":"integer","exclusiveMinimum":-10,"maximum":1234}"#,
        #"{"type":"number","exclusiveMinimum":0,"exclusiveMaximum":0.01}"#,
        #"{"type":"number","minimum":-1e3,"maximum":-0.5}"#,
        #"{"type":"string","pattern":"^[A-Z][a-z]{2,5}(-\\d+)?$"}"#,
        #"{"type":"string","minLength":3,"maxLength":9}"#,
        #"{"type":"string","format":"date"}"#,
        ##"{"$ref":"#/$defs/n","$defs":{"n":{"type":"object","properties":{"v":{"type":"null"},"##
            + ##""next":{"anyOf":[{"$ref":"#/$defs/n"},{"type":"null"}]}},"required":["next"]}}}"##,
        #"{"allOf":[{"type":"object","properties":{"a":{"type":"integer","minimum":3}},"#
            + #""required":["a"]},{"properties":{"a":{"maximum":5},"b":{"type":"boolean"}}}]}"#,
        #"{"oneOf":[{"type":"object","properties":{"kind":{"const":"a"},"x":{"type":"null"}},"#
            + #""required":["kind"]},{"type":"object","properties":{"kind":{"const":"b"}},"#
            + #""required":["kind"]},{"type":"string","maxLength":2}]}"#,
        #"{"properties":{"a":{"type":"null"}},"required":["b"],"additionalProperties":"#
            + #"{"type":"integer"},"maxProperties":4}"#,
        #"{"type":["string","integer"],"maxLength":4,"minimum":0}"#,
    ]

    @Test(arguments: [
        (#"{"not":{}}"#, "schema.not"),
        (
            #"{"type":"object","properties":{"x":{"type":"string","pattern":"(?=a)"}}}"#,
            "schema.properties.x.pattern"
        ),
        (#"{"type":"string","format":"uri"}"#, "schema.format"),
        (#"{"items":{"type":"strin"}}"#, "schema.items.type"),
        (#"{"type":"array","uniqueItems":true}"#, "schema.uniqueItems"),
        (#"{"type":"number","multipleOf":0.5}"#, "schema.multipleOf"),
        (#"{"oneOf":[{"type":"integer"},{"type":"number"}]}"#, "schema.oneOf[1]"),
        (##"{"$ref":"#"}"##, "schema"),
        (##"{"type":"object","properties":{"n":{"$ref":"#"}},"required":["n"]}"##, "schema"),
        (##"{"anyOf":[{"$ref":"#"},{"type":"string"}]}"##, "schema"),
        (#"{"$ref":"http://elsewhere/schema"}"#, "schema.$ref"),
        (##"{"$ref":"#/$defs/none"}"##, "schema.$ref"),
        (#"{"enum":[]}"#, "schema.enum"),
        (#"{"type":"string","minLength":3,"pattern":"^a$"}"#, "schema.minLength"),
        (#"{"minProperties":2}"#, "schema.minProperties"),
        (#"{"type":"string","pattern":"^(a*)*$"}"#, "schema.pattern"),
        (#"{"required":["a"],"additionalProperties":false}"#, "schema.required"),
        (#"{"minimum":5,"maximum":4,"type":"integer"}"#, "schema"),
        (#"{"type":"string","enum":[1]}"#, "schema"),
        (#"{"items":false,"minItems":1}"#, "schema.minItems"),
        (#"{"allOf":[{"prefixItems":[{"minimum":3}]}],"items":{"minimum":5}}"#, "schema"),
        (#"{"properties":{"a":5}}"#, "schema.properties.a"),
        (
            #"{"type":"string","pattern":"((((a{9999}){9999}b){9999}c){9999}d){9999}","#
                + #""maxLength":5}"#, "schema.maxLength"
        ),
    ])
    func whatCannotBeKeptIsRefusedByItsPath(_ schema: String, _ path: String) async throws {
        let value = try JSONValue(parsing: schema, subject: "schema")
        await #expect {
            _ = try await ConstraintRig(schema: value)
        } throws: { error in
            (error as? Refusal)?.subject == path
        }
    }

    @Test func aSchemaThatIsTooLargeIsRefused() async throws {
        // Each level has the next one in it twice: 2^30 schemas.
        var inner = #"{"type":"null"}"#
        var definitions = ""
        for level in 0..<30 {
            definitions += #""d\#(level)":\#(inner),"#
            let next = ##"{"$ref":"#/$defs/d\##(level)","type":["object","null"]}"##
            inner = #"{"anyOf":[\#(next),\#(next)]}"#
        }
        let text = #"{"anyOf":[\#(inner)],"$defs":{\#(definitions)"z":{}}}"#
        let schema = try JSONValue(parsing: text, subject: "schema")
        await #expect(throws: Refusal.self) { _ = try await ConstraintRig(schema: schema) }
    }

    @Test func spaceDoesNotGoOnForEver() async throws {
        let rig = try await ConstraintRig(AnswerDemand(content: .object))
        var outcome = rig.constraint.beginning()
        var spaces = 0
        // A walk that always takes a blank gets no further than a line and its indentation.
        while case .goesOn(let state, let allowed) = outcome {
            let blank = allowed.tokens.first { token in
                rig.setup.tokenizer.bytes(of: token).allSatisfy { $0 == 0x20 || $0 == 0x0A }
                    && !rig.setup.endTokens.contains(token)
            }
            guard let blank else { break }
            spaces += 1
            try #require(spaces < 100)
            outcome = rig.constraint.outcome(after: blank, in: state)
        }
        #expect(spaces >= 1)
    }

    @Test func theEndIsAllowedExactlyWhereTheValueIsWhole() async throws {
        let schema = try JSONValue(parsing: #"{"type":"integer"}"#, subject: "schema")
        let rig = try await ConstraintRig(schema: schema)
        guard case .goesOn(let start, let first) = rig.constraint.beginning() else {
            Issue.record("an integer can begin")
            return
        }
        #expect(rig.setup.endTokens.isDisjoint(with: first.tokens))
        let one = try #require(first.tokens.first { rig.text([$0]) == "1" })
        guard case .goesOn(let state, let second) = rig.constraint.outcome(after: one, in: start)
        else {
            Issue.record("an integer can go on")
            return
        }
        #expect(state.isComplete && rig.setup.endTokens.isSubset(of: second.tokens))
        let end = try #require(rig.setup.endTokens.first)
        #expect(rig.constraint.outcome(after: end, in: state) == .complete)
    }

    @Test func whatIsRememberedChangesNothing() async throws {
        let schema = try JSONValue(
            parsing: #"{"type":"array","items":{"type":"string","maxLength":7}}"#, subject: "schema"
        )
        let used = try await ConstraintRig(schema: schema)
        for seed in 0..<20 { _ = used.walk(seed: UInt64(seed)) }
        let fresh = try await ConstraintRig(schema: schema)
        for seed in 20..<25 {
            #expect(used.walk(seed: UInt64(seed)) == fresh.walk(seed: UInt64(seed)))
        }
        guard case .goesOn(let state, let allowed) = used.constraint.beginning(),
            let token = allowed.tokens.first
        else {
            Issue.record("a list can begin")
            return
        }
        let known = used.constraint.knownOutcome(after: token, in: state)
        #expect(known == nil || known == fresh.constraint.outcome(after: token, in: state))
    }

    @Test func aCharacterMayBeSplitOverTokens() async throws {
        let schema = try JSONValue(parsing: #"{"const":"größe 🪿"}"#, subject: "schema")
        let rig = try await ConstraintRig(schema: schema)
        for seed in 0..<20 {
            let (tokens, ending) = rig.walk(seed: UInt64(seed))
            #expect(ending == .complete)
            #expect(rig.text(tokens).drop { $0 == "\n" } == "\"größe 🪿\"")
        }
    }

    @Test func aTokenThatWasNotAllowedIsSaidSo() async throws {
        let rig = try await ConstraintRig(AnswerDemand(content: .object))
        guard case .goesOn(let state, let allowed) = rig.constraint.beginning() else {
            Issue.record("an object can begin")
            return
        }
        let stray = try #require(
            (0..<4_064).map { TokenID($0) }.first { !allowed.contains($0) })
        guard case .stuck = rig.constraint.outcome(after: stray, in: state) else {
            Issue.record("token \(stray) cannot begin an object")
            return
        }
    }
}
