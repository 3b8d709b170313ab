import { layer } from "../../../src/layers/MatrixClient.ts"
import { contract } from "./Contract.ts"
import { behindDoor } from "./World.ts"

contract("the Matrix client on matrix-js-sdk", { world: behindDoor, client: layer, onModel: true })
