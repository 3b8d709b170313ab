import { layerMemory } from "../../../src/layers/MatrixClient.ts"
import { contract } from "./Contract.ts"
import { inProcess } from "./World.ts"

contract("the Matrix client in memory", { world: inProcess, client: layerMemory, onModel: true })
