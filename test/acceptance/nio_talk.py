"""Talks to the bot with matrix-nio: another implementation of Matrix, on another implementation of Olm (libolm).

    nio_talk.py talk URL BOT_ID USER_ID PASSWORD WORDS...

Signs in, makes an encrypted room, invites the bot, waits for its greeting, says each of WORDS and waits for the decrypted
reply. Prints one JSON object: {"greeting": ..., "replies": [...], "undecryptable": n, "in_clear": n}.

    nio_talk.py gather URL BOT_ID ALICE PASSWORD BOB PASSWORD CAROL PASSWORD

Alice, with a phone and a laptop, and Bob are in a room with the bot, which is encrypted only after a while; then Carol
comes and goes. Everybody who is there reads every answer. Prints what each of them has heard, and by which session.

Ends with an error after 60 s without what it waits for.
"""
import asyncio
import json
import sys
import tempfile
from urllib.parse import quote

from nio import (
    AsyncClient, AsyncClientConfig, EncryptionError, JoinResponse, LoginResponse, MegolmEvent, RoomCreateResponse,
    RoomInviteResponse, RoomLeaveResponse, RoomMessage, RoomPutStateResponse, RoomSendResponse
)
from nio.crypto import ENCRYPTION_ENABLED

assert ENCRYPTION_ENABLED, "matrix-nio is installed without python3-olm, peewee or the like"

ENCRYPTION = {"algorithm": "m.megolm.v1.aes-sha2"}


def right(response, kind):
    assert isinstance(response, kind), response
    return response


class Device:
    """One device of somebody: what it has heard of the bot, and what it could not read."""

    def __init__(self, store, url, user, bot):
        self.client = AsyncClient(url, user, store_path=store, config=AsyncClientConfig(encryption_enabled=True))
        self.bot, self.heard, self.unreadable, self.in_clear = bot, [], [], []
        self.client.add_event_callback(self.hear, RoomMessage)
        self.client.add_event_callback(self.wonder, MegolmEvent)

    def hear(self, room, event):
        if event.sender != self.bot:
            return
        to = event.source["content"].get("m.relates_to", {}).get("m.in_reply_to", {}).get("event_id")
        self.heard.append({
            "to": to, "id": event.event_id, "body": event.body, "session": event.session_id if event.decrypted else None
        })
        if not event.decrypted:
            self.in_clear.append(event.event_id)

    def wonder(self, room, event):
        # What nio's own devices keep from each other is not the bot's affair.
        if event.sender == self.bot:
            self.unreadable.append(event.event_id)
        else:
            print(f"{self.client.user_id} cannot read {event.sender}'s {event.event_id}", file=sys.stderr)

    async def sign_in(self, password, name):
        right(await self.client.login(password, device_name=name), LoginResponse)
        await self.client.sync(timeout=0)
        await self.client.keys_upload()

    async def until(self, is_it, what):
        deadline = asyncio.get_event_loop().time() + 60
        while (found := is_it()) is None:
            assert asyncio.get_event_loop().time() < deadline, f"waited 60 s in vain for {what}"
            await self.client.sync(timeout=1000)
            # What the Olm machine has to ask and to tell, as nio's own sync_forever does it.
            if self.client.should_upload_keys:
                await self.client.keys_upload()
            if self.client.should_query_keys:
                await self.client.keys_query()
            if self.client.should_claim_keys:
                await self.client.keys_claim(self.client.get_users_for_key_claiming())
            await self.client.send_to_device_messages()
        return found

    async def say(self, room, body):
        content = {"msgtype": "m.text", "body": body, "m.mentions": {"user_ids": [self.bot]}}
        sent = await self.client.room_send(room, "m.room.message", content, ignore_unverified_devices=True)
        return right(sent, RoomSendResponse).event_id

    async def answer_to(self, question):
        return await self.until(
            lambda: next((one for one in self.heard if one["to"] == question), None), f"the answer to {question}"
        )

    async def raw(self, room, event):
        """An event as the server has it: nio would open it."""
        path = f"/_matrix/client/v3/rooms/{quote(room)}/event/{quote(event)}"
        async with self.client.client_session.get(
            self.client.homeserver + path, headers={"Authorization": f"Bearer {self.client.access_token}"}
        ) as response:
            return MegolmEvent.from_dict(await response.json())

    async def greeting(self):
        return await self.until(lambda: next((one for one in self.heard if one["to"] is None), None), "the greeting")

    async def sees(self, room, user, here=True):
        """Waits until this device knows that somebody is in the room, or is not."""
        def look():
            known = self.client.rooms.get(room)
            joined = known is not None and user in known.users and user not in known.invited_users
            return True if joined == here else None
        await self.until(look, f"{user} in {room}: {here}")

    async def knows_encrypted(self, room):
        await self.until(lambda: True if self.client.rooms[room].encrypted else None, f"{room} to be encrypted")


async def talk(device, password, words):
    await device.sign_in(password, "nio")
    state = [{"type": "m.room.encryption", "state_key": "", "content": ENCRYPTION}]
    made = await device.client.room_create(invite=[device.bot], initial_state=state)
    room = right(made, RoomCreateResponse).room_id
    greeting = await device.greeting()
    replies = [(await device.answer_to(await device.say(room, word)))["body"] for word in words]
    return {
        "greeting": greeting["body"], "replies": replies, "undecryptable": len(device.unreadable),
        "in_clear": len(device.in_clear)
    }


async def gather(phone, laptop, bob, carol, passwords):
    names = ("phone", "laptop", "bob", "carol")
    for device, name, password in zip((phone, laptop, bob, carol), names, passwords):
        await device.sign_in(password, name)
    rounds = []

    async def ask(asking, body, readers):
        """Asks, and lets everybody read the answer."""
        question = await asking.say(room, body)
        answers = [await reader.answer_to(question) for reader in readers]
        assert len({answer["id"] for answer in answers}) == 1, answers
        rounds.append({"asked": body, "answers": [answer["body"] for answer in answers], "session": answers[0]["session"]})
        return answers[0]

    invited = [phone.bot, bob.client.user_id]
    room = right(await phone.client.room_create(invite=invited), RoomCreateResponse).room_id
    right(await bob.client.join(room), JoinResponse)
    three = (phone, laptop, bob)
    for device in three:
        await device.sees(room, bob.client.user_id)
        await device.sees(room, device.bot)
    await phone.greeting()
    await ask(phone, "in clear", three)

    right(await phone.client.room_put_state(room, "m.room.encryption", ENCRYPTION), RoomPutStateResponse)
    for device in three:
        await device.knows_encrypted(room)
    await ask(phone, "by phone", three)
    await ask(laptop, "by laptop", three)
    await ask(bob, "by bob", three)

    carol_id = carol.client.user_id
    right(await phone.client.room_invite(room, carol_id), RoomInviteResponse)
    right(await carol.client.join(room), JoinResponse)
    for device in (*three, carol):
        await device.sees(room, carol_id)
    await ask(phone, "with carol", (*three, carol))
    await ask(carol, "by carol", (*three, carol))

    right(await carol.client.room_leave(room), RoomLeaveResponse)
    for device in three:
        await device.sees(room, carol_id, here=False)
    last = await ask(bob, "without carol", three)

    # She gets the bytes from somebody who is still there.
    sealed = await phone.raw(room, last["id"])
    assert isinstance(sealed, MegolmEvent) and sealed.session_id == last["session"], sealed
    try:
        carol.client.decrypt_event(sealed)
        carol_reads = True
    except EncryptionError:
        carol_reads = False
    return {
        "rounds": rounds, "carol_reads": carol_reads,
        "undecryptable": {name: len(device.unreadable) for name, device in zip(names, (*three, carol))},
        "in_clear": {name: len(device.in_clear) for name, device in zip(names, three)}
    }


async def main(what, url, bot, *arguments):
    with tempfile.TemporaryDirectory(prefix="homing-nio-") as one, tempfile.TemporaryDirectory() as two, \
            tempfile.TemporaryDirectory() as three, tempfile.TemporaryDirectory() as four:
        if what == "talk":
            user, password, *words = arguments
            devices = [Device(one, url, user, bot)]
            work = talk(devices[0], password, words)
        else:
            alice, alices, bob, bobs, carol, carols = arguments
            devices = [Device(store, url, user, bot) for store, user in zip((one, two, three, four), (alice, alice, bob, carol))]
            work = gather(*devices, (alices, alices, bobs, carols))
        try:
            print(json.dumps(await work))
        finally:
            for device in devices:
                await device.client.close()


asyncio.run(main(*sys.argv[1:]))
