/** Dies when it passes its nth place, as by `kill -9`: what passes another place after that passes none of it. */
export const mortal = (nth: number) => {
  let left = Infinity
  let dead = false
  return {
    listen: () => {
      left = nth
    },
    isDead: () => dead,
    pass: () => {
      if (dead || --left <= 0) {
        dead = true
        throw new Error("killed")
      }
    }
  }
}
