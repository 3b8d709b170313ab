import type { Catalog } from "./Catalog.ts"
import type { SqliteFile } from "./SqliteFile.ts"
import type { Turns } from "./Turns.ts"

/** What stands below the databases of one file. */
export interface Engine {
  readonly file: SqliteFile
  readonly catalog: Catalog
  readonly turns: Turns
  /**
   * The file failed. The state in memory is now ahead of the one on the disk, and must not be used: nothing is done or told
   * any more.
   */
  lost(cause: unknown): void
}
