/** Markdown that shows `text` as it is: a code span, where nothing is markup, fenced by more backticks than it holds. */
export const codeSpan = (text: string): string => {
  if (!text.includes("`")) return `\`${text}\``
  const fence = "`".repeat(1 + Math.max(...Array.from(text.matchAll(/`+/g), ([run]) => run.length)))
  return `${fence} ${text} ${fence}`
}

/** Markdown that shows lines as they are, below each other. */
export const codeBlock = (text: string): string => {
  const longest = Math.max(2, ...Array.from(text.matchAll(/`+/g), ([run]) => run.length))
  const fence = "`".repeat(longest + 1)
  return `${fence}\n${text}\n${fence}`
}
