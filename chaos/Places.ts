import { type Fault, FaultEffect, rateLimited } from "../src/layers/Homeserver/Faults.ts"
import type { Said } from "./Plan.ts"

/** What has to be in a life for it to come to these places. */
export interface Occasion {
  readonly places: ReadonlyArray<string>
  /** What somebody asks for first. */
  readonly asks?: Said
  /** All messages of the round go into one room. */
  readonly burst?: true
  readonly befalling?: ReadonlyArray<Fault>
  /** The bot is told to stop soon after it is ready. */
  readonly stopped?: true
  /** What somebody does while the bot is down. */
  readonly first?: "leave Space" | "change name"
}

const threeOf = (name: string) => [`${name}:before`, `${name}:inside`, `${name}:after`]
const twoOf = (name: string) => [`${name}:before`, `${name}:after`]

const sends = { method: "PUT", path: "/send/" } as const
const syncs = { method: "GET", path: /\/v3\/sync$/ } as const
const markers = { method: "PUT", path: "/account_data/" } as const

/** Passed by every message on its way. */
export const onTheWay: Occasion = {
  places: [
    ...threeOf("Store.inbox.ingest"),
    ...twoOf("Store.inbox.begin"),
    ...threeOf("Store.inbox.settleAndBegin"),
    ...twoOf("send message"),
    ...twoOf("Store.outbox.sent")
  ]
}

/** Passed by every life. */
const everyday: Occasion = {
  places: [
    ...twoOf("sync answer"),
    ...threeOf("Store.inbox.takeUpAll"),
    ...threeOf("Store.prune")
  ]
}

const ofRename: Occasion = {
  places: [...threeOf("ChatManager.rename"), ...twoOf("write marker"), ...twoOf("ChatManager.markerWritten")],
  asks: "rename"
}

const ofArchive: Occasion = { places: threeOf("ChatManager.setArchived"), asks: "archive" }

/** A person has one Space, which is made with the first room. */
const ofFirstRoom: Occasion = { places: twoOf("create space"), asks: "new" }

const ofRoom: Occasion = {
  places: [
    ...threeOf("Store.provisioning.begin"),
    ...twoOf("list joined rooms"),
    ...twoOf("create room"),
    ...twoOf("Store.provisioning.made"),
    ...twoOf("add to space"),
    ...twoOf("Store.provisioning.done")
  ],
  asks: "new"
}

/** Whoever was invited with the room is invited again only when they left. */
const ofReturn: Occasion = { places: twoOf("invite"), asks: "new", first: "leave Space" }

const ofGap: Occasion = {
  places: twoOf("read history"),
  burst: true,
  befalling: [{ ...syncs, effect: FaultEffect.Gap(), count: 6 }]
}

const ofDelay: Occasion = {
  places: twoOf("Store.outbox.delayed"),
  befalling: [{ ...sends, effect: rateLimited(300), count: 2 }]
}

/** A command waits for the homeserver while the bot is told to stop, with more behind it. */
const ofStop: Occasion = {
  places: threeOf("Store.inbox.giveBack"),
  asks: "rename",
  burst: true,
  befalling: [{ ...markers, effect: FaultEffect.Delay({ time: 1500 }), count: 2 }],
  stopped: true
}

const ofSignIn: Occasion = {
  places: threeOf("Store.session.save"),
  befalling: [{ effect: FaultEffect.SignedOut({ softLogout: true }), skip: 5 }]
}

/** Passed by every life; with something to change, and to tell the operators. */
const ofNews: Occasion = { places: threeOf("reconcileAndTell"), first: "change name" }

/** Passed when somebody invites the bot. */
export const ofInvite: Occasion = {
  places: [...twoOf("join"), ...twoOf("read room state"), ...threeOf("ChatManager.register")]
}

/** Passed when the homeserver refuses a message for good. */
export const ofRefusal: Occasion = { places: twoOf("Store.outbox.dead") }

/** What a life comes to at any time, in the order of how much it matters: a short run comes no further than the first. */
export const occasions: ReadonlyArray<ReadonlyArray<Occasion>> = [
  [onTheWay],
  [everyday, ofRename, ofArchive, ofFirstRoom, ofGap, ofDelay, ofStop, ofSignIn, ofNews],
  [ofRoom, ofReturn]
]

/** What only a homeserver that can be made to fail brings about. */
const ofFaults: ReadonlyArray<Occasion> = [ofGap, ofDelay, ofSignIn, ofRefusal]

/** Passed several times by every message that is read or said in an encrypted room: see `KillAtCommit.mjs`. */
export const ofKeys = twoOf("crypto commit")

const all = [...occasions.flat(), ofInvite, ofRefusal]

/** Every named commit point of the bot's own. */
export const places: ReadonlyArray<string> = all.flatMap((occasion) => occasion.places)

/** Those that a run can come to. */
export const placesOf = (
  { encrypted, faults }: { readonly encrypted: boolean; readonly faults: boolean }
): ReadonlyArray<string> => [
  ...all.filter((occasion) => faults || !ofFaults.includes(occasion)).flatMap((occasion) => occasion.places),
  ...encrypted ? ofKeys : []
]

export const occasionOf = (place: string): Occasion | undefined =>
  all.find((occasion) => occasion.places.includes(place))
