/** Markdown that shows `text` as it is: a code span, where nothing is markup, fenced by more backticks than it holds. */
export const codeSpan = (text: string): string => {
  if (!text.includes("`")) return `\`${text}\``
  const fence = "`".repeat(1 + Math.max(...Array.from(text.matchAll(/`+/g), ([run]) => run.length)))
  return `${fence} ${text} ${fence}`
}
