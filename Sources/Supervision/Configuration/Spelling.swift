/// Guesses what somebody meant who wrote a word we do not know.
package enum Spelling {
  /// The candidate nearest to the word, if it is near enough to be a slip of the finger: about one
  /// slip for every three letters.
  package static func nearest(to word: String, among candidates: [String]) -> String? {
    let limit = max(1, word.count / 3)
    var best: (candidate: String, distance: Int)?
    for candidate in candidates {
      let distance = self.distance(word, candidate)
      if distance <= limit, distance < best?.distance ?? .max { best = (candidate, distance) }
    }
    // A word cut short is no slip, but as easily understood.
    return best?.candidate
      ?? candidates.first { word.count >= 4 && $0.hasPrefix(word) }
  }

  /// The number of slips between two words: a letter missing, added, wrong, or two swapped
  /// (the restricted Damerau-Levenshtein distance).
  package static func distance(_ left: String, _ right: String) -> Int {
    // A word this long is no slip of anything, and the table below is quadratic.
    let left = Array(left.unicodeScalars.prefix(80))
    let right = Array(right.unicodeScalars.prefix(80))
    var previous: [Int] = []
    var current = Array(0...right.count)
    var next = current
    for row in 0..<left.count {
      next[0] = row + 1
      for column in 0..<right.count {
        let same = left[row] == right[column]
        var cost = min(next[column] + 1, current[column + 1] + 1, current[column] + (same ? 0 : 1))
        if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
          cost = min(cost, previous[column - 1] + 1)
        }
        next[column + 1] = cost
      }
      previous = current
      current = next
    }
    return current[right.count]
  }
}
