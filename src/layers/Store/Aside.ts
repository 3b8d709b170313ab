/** What the column `aside` of the inbox holds for a row that waits for its key, and for one that did. */
export const aside = 1
export const takenUp = 2
