/** The word of `known` that `typed` was probably meant to be: at most two slips away, of a short one at most one, and not all of it a slip. */
export const closest = <A extends string>(typed: string, known: ReadonlyArray<A>): A | undefined => {
  const letters = [...typed]
  const bound = Math.min(letters.length > 4 ? 2 : 1, letters.length - 1)
  return known
    .map((word) => ({ word, slips: distance(letters, [...word]) }))
    .filter(({ slips }) => slips <= bound)
    .toSorted((a, b) => a.slips - b.slips)[0]?.word
}

/**
 * How many slips lie between two words: a letter left out, put in, mistaken, or two neighbours exchanged (the restricted
 * Damerau-Levenshtein distance). Infinite when the lengths alone tell that it is more than anybody suggests from.
 */
const distance = (a: ReadonlyArray<string>, b: ReadonlyArray<string>): number => {
  if (Math.abs(a.length - b.length) > 2) return Infinity
  let beforeLast: ReadonlyArray<number> = []
  let last: ReadonlyArray<number> = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (const [row, letter] of a.entries()) {
    const current = [row + 1]
    for (const [column, other] of b.entries()) {
      const exchanged = row > 0 && column > 0 && letter === b[column - 1] && other === a[row - 1]
      current.push(Math.min(
        (last[column + 1] ?? 0) + 1,
        (current[column] ?? 0) + 1,
        (last[column] ?? 0) + (letter === other ? 0 : 1),
        exchanged ? (beforeLast[column - 1] ?? 0) + 1 : Infinity
      ))
    }
    beforeLast = last
    last = current
  }
  return last[b.length] ?? Infinity
}
