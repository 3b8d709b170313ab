const first = 60_000
const longest = 3_600_000

/** Milliseconds until something that came to nothing so many times in a row is tried, or told of, again: 1 min, 2 min, 4 min … 1 h. */
export const growingPause = (times: number): number =>
  Math.min(longest, first * 2 ** Math.min(30, Math.max(0, times - 1)))

/** What rested for this long beyond its pause begins anew, in milliseconds. */
export const forgottenAfter = longest
