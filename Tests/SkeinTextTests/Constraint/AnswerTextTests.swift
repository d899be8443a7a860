import Foundation
import SkeinCore
import Testing

@testable import SkeinText

/// Answers that are held to a regular expression or to one text of several.
@Suite struct AnswerTextTests {
    @Test(arguments: [
        "[a-z]{3}-\\d{2}", "^(yes|no)$", "a|b|cd", "(\\+|-)?\\d+(\\.\\d{1,3})?", "[^\\n]{1,20}",
        "<b>[A-Z][a-z]{1,6}</b>", "(?:ab){2,3}c?", "\\w+@\\w+\\.(com|org)", "é[à-ÿ]{2}", "x{0,3}y",
    ])
    func everyWholeAnswerFulfilsThePattern(source: String) async throws {
        let rig = try await ConstraintRig(
            AnswerDemand(content: .pattern(source, path: "guided_regex")))
        let pattern = try NSRegularExpression(pattern: "^(?:\(source))$")
        var texts: Set<String> = []
        for seed in 0..<40 {
            let (tokens, ending) = rig.walk(seed: UInt64(seed))
            guard ending == .complete else {
                #expect(ending == .cut)
                continue
            }
            let text = rig.text(tokens)
            texts.insert(text)
            let range = NSRange(text.startIndex..., in: text)
            #expect(pattern.firstMatch(in: text, range: range)?.range == range, "\(text)")
        }
        #expect(texts.count > 1)
    }

    @Test func aChoiceIsOneOfItsTexts() async throws {
        let choices = ["positive", "positive!", "negative", "né", "<think>", "yes\nno"]
        let rig = try await ConstraintRig(
            AnswerDemand(content: .choice(choices, path: "guided_choice")))
        var texts: Set<String> = []
        for seed in 0..<60 {
            let (tokens, ending) = rig.walk(seed: UInt64(seed))
            #expect(ending == .complete)
            texts.insert(
                rig.setup.tokenizer.decode(
                    tokens.filter { !rig.setup.endTokens.contains($0) },
                    skippingSpecialTokens: false))
        }
        #expect(texts == Set(choices))
    }

    @Test(arguments: [
        ("(?=a)b", "character 2"), ("(a*)*", "a repetition of what may be empty"),
        ("\\1", "the escape \\1"), ("a**", "nothing stands before '*'"), ("[", "a '[' without ']'"),
        (String(repeating: "a", count: 5_000), "has more than 4096 characters"),
    ])
    func whatCannotBeFollowedIsRefused(source: String, words: String) async throws {
        await #expect {
            _ = try await ConstraintRig(
                AnswerDemand(content: .pattern(source, path: "guided_regex")))
        } throws: { "\($0)".hasPrefix("guided_regex: ") && "\($0)".contains(words) }
    }

    /// It ends at all: such patterns would take for ever if every way were walked.
    @Test func aPatternThatIsTooLargeIsRefusedOrFollowed() async throws {
        let source = String(repeating: "(a|b)?(c|d)?(e|f)?", count: 200)
        for wide in ["(\(source)x){3}", "((([a-z]{1,99}x){1,99}y){1,99}z){1,99}"] {
            do {
                let rig = try await ConstraintRig(
                    AnswerDemand(content: .pattern(wide, path: "guided_regex")))
                _ = rig.walk(seed: 1, tokensMax: 5)
            } catch let refusal as Refusal {
                #expect(refusal.subject == "guided_regex")
            }
        }
    }

    @Test(arguments: [[], [""], ["a", ""], [String(repeating: "a", count: 300_000)]])
    func aChoiceOfNothingIsRefused(texts: [String]) async throws {
        await #expect {
            _ = try await ConstraintRig(
                AnswerDemand(content: .choice(texts, path: "guided_choice")))
        } throws: { "\($0)".hasPrefix("guided_choice: expected texts") }
    }
}
