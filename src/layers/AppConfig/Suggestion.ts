/** The candidate that `word` was most likely meant to be; undefined when none is near. */
export const suggest = (word: string, candidates: ReadonlyArray<string>): string | undefined => {
  const written = word.toLowerCase()
  const ranked = candidates.map((candidate) => ({ candidate, distance: distance(written, candidate.toLowerCase()) }))
  const best = ranked.toSorted((a, b) => a.distance - b.distance)[0]
  if (best !== undefined && best.distance <= Math.max(2, Math.floor(word.length / 4))) return best.candidate
  // `HOMING_HOMESERVER` is far from `HOMING_HOMESERVER_URL` in letters, and yet meant
  const longer = candidates.filter((candidate) => written.length >= 4 && candidate.toLowerCase().startsWith(written))
  return longer.length === 1 ? longer[0] : undefined
}

/** Letters to insert, delete or replace to make one of the other (Levenshtein). */
const distance = (from: string, to: string): number => {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (const [index, letter] of Array.from(from).entries()) {
    const next = [index + 1]
    for (let column = 0; column < to.length; column++) {
      const replaced = (row[column] ?? 0) + (letter === to[column] ? 0 : 1)
      next.push(Math.min(replaced, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1))
    }
    row = next
  }
  return row[to.length] ?? 0
}
