/// The name that was probably meant where a word is none of those that are known.
public enum NearName {
    private static let editCountMax = 3
    private static let scalarsMax = 64

    /// The known name that is nearest to a word; `nil` where none is near.
    ///
    /// A word is near a name where at most three letters, and at most half of its own, must be
    /// added, dropped or changed.
    public static func of(_ word: String, among names: [String]) -> String? {
        let counted = names.map { (name: $0, editCount: editCount(from: word, to: $0)) }
        guard let near = counted.min(by: { $0.editCount < $1.editCount }),
            near.editCount <= min(editCountMax, word.unicodeScalars.count / 2)
        else { return nil }
        return near.name
    }

    private static func editCount(from word: String, to other: String) -> Int {
        let letters = Array(word.unicodeScalars.prefix(scalarsMax))
        let others = Array(other.unicodeScalars)
        var row = Array(0...others.count)
        for (index, letter) in letters.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for (column, otherLetter) in others.enumerated() {
                let changed = diagonal + (letter == otherLetter ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(changed, diagonal + 1, row[column] + 1)
            }
        }
        return row[others.count]
    }
}
