import { Effect, Random } from "effect"
import { type Fault, FaultEffect, rateLimited, serverError } from "../src/layers/Homeserver/Faults.ts"
import { names } from "./People.ts"
import { type Occasion, occasionOf, occasions, ofInvite, ofKeys, ofRefusal, onTheWay } from "./Places.ts"

/** What a run is asked for. The same options give the same plan; when a process gets how far is the machine's affair. */
export interface Options {
  readonly kills: number
  readonly messages: number
  readonly rooms: number
  readonly seed: number
  /** The rooms are encrypted. */
  readonly encrypted: boolean
}

/** What somebody writes: some words, or a command. */
export type Said = "words" | "rename" | "new" | "archive" | "unarchive"

/** What has to come of a message: an echo of it, one reply of any words, one that tells of a new room, a diagnostic, or nothing. */
export type Expected = "echo" | "reply" | "room" | "diagnostic" | "silence"

export interface PlannedMessage {
  readonly room: number
  /** Counts from 1 in each room: the order in which they are written and must be answered. */
  readonly number: number
  /** One of the people of the room. */
  readonly from: "owner" | "guest"
  readonly said: Said
  readonly expected: Expected
  /** Before it is written. */
  readonly pauseMillis: number
}

export interface PlannedRoom {
  /** A second person is in it, so that only what is addressed to the bot is answered. */
  readonly guest: boolean
  /** The round in which the bot is invited; -1 is before the first. */
  readonly invitedIn: number
  /** The homeserver refuses the greeting for good. */
  readonly greetingRefused: boolean
}

/** How a life of the bot ends. */
export type Kill =
  | { readonly _tag: "At"; readonly place: string; readonly times: number }
  /** Counted from its start, or from when it is ready: the way there takes a while on a busy machine. */
  | { readonly _tag: "After"; readonly millis: number; readonly from: "start" | "ready" }

export interface Round {
  readonly kill: Kill
  /** The bot is told to stop soon after it is ready, and dies on its way out, if it does. */
  readonly stopped: boolean
  /** Nothing befalls it but what its place needs: what is left to chance may keep a life from coming there. */
  readonly calm: boolean
  /** What somebody does before the bot is started: the owner of a room leaves their Space, or has another name. */
  readonly first: { readonly room: number; readonly does: NonNullable<Occasion["first"]> } | undefined
  readonly messages: ReadonlyArray<PlannedMessage>
  readonly faults: ReadonlyArray<Fault>
}

export interface Plan {
  readonly rooms: ReadonlyArray<PlannedRoom>
  readonly rounds: ReadonlyArray<Round>
}

const sends = { method: "PUT", path: "/send/" } as const
const syncs = { method: "GET", path: /\/v3\/sync$/ } as const
const markers = { method: "PUT", path: "/account_data/" } as const
const joins = { method: "POST", path: /\/join$/ } as const

const gateway = FaultEffect.Html({ status: 502, html: "<html><body>Bad Gateway</body></html>" })

/** What may befall the bot's requests. The lost answer stands twice: it is the one that invites a repetition. */
const faults: ReadonlyArray<Fault> = [
  { ...sends, effect: FaultEffect.LostAnswer() },
  { ...sends, effect: FaultEffect.LostAnswer(), count: 4 },
  { ...sends, effect: FaultEffect.Reset() },
  { ...sends, effect: FaultEffect.Stalled() },
  { ...sends, effect: FaultEffect.Delay({ time: 300 }), count: 5 },
  { ...sends, effect: rateLimited(300), count: 2 },
  { ...sends, effect: rateLimited() },
  { ...sends, effect: serverError(), count: 6 },
  { ...sends, effect: gateway },
  { ...syncs, effect: FaultEffect.LostAnswer() },
  { ...syncs, effect: FaultEffect.Reset() },
  { ...syncs, effect: FaultEffect.Stalled(), skip: 1 },
  { ...syncs, effect: FaultEffect.Delay({ time: 200 }) },
  { ...syncs, effect: rateLimited(200), skip: 1 },
  { ...syncs, effect: serverError(503), skip: 1 },
  { ...syncs, effect: FaultEffect.Gap() },
  { ...syncs, effect: FaultEffect.Gap(), count: 3 },
  { ...syncs, effect: FaultEffect.Duplicated(), count: 3 },
  { ...syncs, effect: FaultEffect.Reordered(), count: 3 },
  { ...syncs, effect: FaultEffect.ForgottenPositions() },
  { effect: FaultEffect.SignedOut({ softLogout: true }), skip: 5 },
  { effect: FaultEffect.ClockSkew({ by: "1 hour" }), count: 5 },
  { ...markers, effect: FaultEffect.LostAnswer() },
  { ...markers, effect: serverError() },
  { ...joins, effect: FaultEffect.LostAnswer() },
  { ...joins, effect: serverError() }
]

const some = <A, E>(count: number, f: (index: number) => Effect.Effect<A, E>) =>
  Effect.forEach(Array.from({ length: count }, (_, index) => index), f)

const claims = { method: "POST", path: "/keys/claim" } as const
const keyQueries = { method: "POST", path: "/keys/query" } as const
const keyUploads = { method: "POST", path: "/keys/upload" } as const
const toDevices = { method: "PUT", path: "/sendToDevice/" } as const

/** And on the way of the keys. */
const faultsOfKeys: ReadonlyArray<Fault> = [
  { ...claims, effect: FaultEffect.LostAnswer() },
  { ...claims, effect: serverError() },
  { ...keyQueries, effect: FaultEffect.Delay({ time: 300 }), count: 3 },
  { ...keyQueries, effect: FaultEffect.Reset() },
  { ...keyUploads, effect: FaultEffect.LostAnswer() },
  { ...keyUploads, effect: FaultEffect.Delay({ time: 500 }) },
  { ...toDevices, effect: FaultEffect.LostAnswer() },
  { ...toDevices, effect: FaultEffect.Reset() },
  { ...toDevices, effect: serverError(502), count: 2 },
  { ...toDevices, effect: FaultEffect.Delay({ time: 500 }) }
]

/** Draws the whole run beforehand. */
export const makePlan = (options: Options): Effect.Effect<Plan> =>
  draw(options).pipe(Random.withSeed(options.seed), Effect.orDie)

/** Who owns a room, by number. */
export const ownerOf = (room: number): number => room % names.length

const draw = Effect.fn("Plan.draw")(function*({ encrypted, kills, messages, rooms }: Options) {
  // Half of the rooms are there from the start; the bot is invited into the others in between.
  const early = Math.ceil(rooms / 2)
  const plannedRooms = Array.from({ length: rooms }, (_, room): PlannedRoom => ({
    guest: room % 4 === 3,
    invitedIn: room < early ? -1 : Math.floor((room - early) * kills * 0.7 / (rooms - early)),
    greetingRefused: room >= early && room % 4 === 2
  }))
  const ends = yield* kindsOfEnd(kills, plannedRooms, encrypted)
  // Positions are forgotten for everybody, and the people's SDK never comes back from that.
  const possible = encrypted
    ? [...faults.filter(({ effect }) => effect._tag !== "ForgottenPositions"), ...faultsOfKeys]
    : faults
  const numbers = plannedRooms.map(() => 0)
  const archived = new Set<number>()
  const withSpace = new Set<number>()

  const write = Effect.fnUntraced(function*(room: number, said: Said = "words", expected?: Expected) {
    const guest = plannedRooms[room]?.guest === true
    const number = numbers[room] = (numbers[room] ?? 0) + 1
    const planned = expected ?? (guest && (yield* Random.next) < 0.4 ? "silence" : "echo")
    const message: PlannedMessage = {
      room,
      number,
      from: guest && (yield* Random.nextBoolean) && expected === undefined ? "guest" : "owner",
      said,
      expected: planned,
      pauseMillis: (yield* Random.next) < 0.3 ? yield* Random.nextIntBetween(1, 400) : 0
    }
    return message
  })

  /** What is asked for, and what belongs to it: while a chat is archived, its messages get a diagnostic, and the bot says so once a minute. */
  const ask = (room: number, said: Said) => {
    switch (said) {
      case "words":
        return Effect.map(write(room), (message) => [message])
      case "new":
        withSpace.add(ownerOf(room))
        return Effect.map(write(room, said, "room"), (message) => [message])
      case "archive":
        archived.add(room)
        return Effect.all([
          write(room, said, "reply"),
          write(room, "words", "diagnostic"),
          write(room, "unarchive", "reply")
        ])
      default:
        return Effect.map(write(room, said, "reply"), (message) => [message])
    }
  }

  /** Where this can be asked: the first room that a person asks for makes their Space, and others must not use that up. */
  const roomFor = (open: ReadonlyArray<number>, { asks, places }: Occasion) => {
    const makesSpace = places.some((place) => place.startsWith("create space"))
    const suitable = open.filter((room) =>
      asks === "new"
        ? withSpace.has(ownerOf(room)) !== makesSpace
        : asks !== "archive" || !archived.has(room)
    )
    return Random.choice(suitable.length === 0 ? open : suitable)
  }

  const rounds = yield* some(
    kills,
    Effect.fnUntraced(function*(round) {
      const kill = ends[round] ?? { _tag: "After", millis: 1000, from: "ready" }
      const occasion = kill._tag === "At" ? occasionOf(kill.place) : undefined
      const share = Math.floor(messages * (round + 1) / kills) - Math.floor(messages * round / kills)
      const open = plannedRooms.flatMap(({ invitedIn }, room) => invitedIn < round ? [room] : [])
      const stage = occasion === undefined ? undefined : yield* roomFor(open, occasion)
      const casual = yield* Random.choice(open)
      const asked = occasion?.asks === undefined || stage === undefined
        // The Space of one person is made in passing; those of the others are to be died at.
        ? ownerOf(casual) === names.length - 1 && share > 0 ? yield* ask(casual, "new") : []
        : share === 0 || (occasion.asks === "archive" && (share < 3 || archived.has(stage)))
        ? []
        : yield* ask(stage, occasion.asks)
      // Now and then all of it goes into one room, which leaves gaps in what a sync answer brings of it.
      const burst = occasion?.burst ? stage : (yield* Random.next) < 0.1 ? yield* Random.choice(open) : undefined
      const written = yield* some(
        share - asked.length,
        Effect.fnUntraced(function*() {
          return yield* write(burst ?? (yield* Random.choice(open)))
        })
      )
      const calm = kill._tag === "At" && !ofKeys.includes(kill.place) && !onTheWay.places.includes(kill.place)
      const befalling = !calm && (yield* Random.next) < 0.5 ? yield* Random.nextIntBetween(1, 4) : 0
      const planned: Round = {
        kill,
        stopped: occasion?.stopped === true,
        calm,
        first: occasion?.first === undefined || stage === undefined ? undefined : { room: stage, does: occasion.first },
        messages: [...asked, ...written],
        faults: [...occasion?.befalling ?? [], ...yield* some(befalling, () => Random.choice(possible))]
      }
      return planned
    })
  )
  return { rooms: plannedRooms, rounds }
})

/** Two of three lives end at a commit point, the others at any moment. */
const kindsOfEnd = Effect.fnUntraced(function*(kills: number, rooms: ReadonlyArray<PlannedRoom>, encrypted: boolean) {
  const inTurn = yield* Effect.forEach(
    occasions,
    (group) => Random.shuffle(group.flatMap((occasion) => occasion.places))
  )
  // Every fourth of them is a commit of keys, before and after in turn.
  const anytime = encrypted
    ? inTurn.flat().flatMap((place, n) => n % 3 === 0 ? [ofKeys[n % 2] ?? place, place] : [place])
    : inTurn.flat()
  const invites = yield* Random.shuffle(ofInvite.places)
  const refusals = [...ofRefusal.places]
  let [nextAnytime, nextInvite, nextRefusal] = [0, 0, 0]
  return yield* some(
    kills,
    Effect.fnUntraced(function*(round): Effect.fn.Return<Kill> {
      const invited = rooms.filter(({ invitedIn }) => invitedIn === round)
      const place = invited.some(({ greetingRefused }) => greetingRefused)
        ? refusals[nextRefusal++ % refusals.length]
        : invited.length > 0
        ? invites[nextInvite++ % invites.length]
        : round % 3 !== 0
        ? anytime[nextAnytime++ % anytime.length]
        : undefined
      if (place === undefined) {
        return (yield* Random.next) < 0.3
          ? { _tag: "After", millis: yield* Random.nextIntBetween(100, 2000), from: "start" }
          : { _tag: "After", millis: yield* Random.nextIntBetween(0, 1500), from: "ready" }
      }
      if (ofKeys.includes(place)) return { _tag: "At", place, times: yield* Random.nextIntBetween(1, 60) }
      const oftenPassed = /settle|send message|outbox\.sent|reconcileAndTell:inside/.test(place)
      return { _tag: "At", place, times: oftenPassed ? yield* Random.nextIntBetween(1, 5) : 1 }
    })
  )
})
