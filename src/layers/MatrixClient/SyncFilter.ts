/**
 * What `/sync` is asked for. Synapse gives 10 events a room by default and at most 100. The bot's own events are among
 * them on purpose: they say which messages of the outbox have arrived.
 */
export const syncFilter = {
  presence: { not_types: ["*"] },
  room: {
    timeline: { limit: 100 },
    state: { lazy_load_members: false },
    ephemeral: { not_types: ["*"] }
  }
}
