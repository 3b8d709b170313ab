"""Talks to the bot with matrix-nio: another implementation of Matrix, on another implementation of Olm (libolm).

    nio_talk.py URL USER_ID PASSWORD BOT_ID WORDS...

Signs in, makes an encrypted room, invites the bot, waits for its greeting, says each of WORDS and waits for the decrypted
reply. Prints one JSON object: {"greeting": ..., "replies": [...], "undecryptable": n, "in_clear": n}. Ends with an error
after 60 s without what it waits for.
"""
import asyncio
import json
import sys
import tempfile

from nio import (
    AsyncClient, AsyncClientConfig, LoginResponse, MegolmEvent, RoomCreateResponse, RoomMessage, RoomSendResponse
)
from nio.crypto import ENCRYPTION_ENABLED

assert ENCRYPTION_ENABLED, "matrix-nio is installed without python3-olm, peewee or the like"


async def until(client, is_it, what):
    deadline = asyncio.get_event_loop().time() + 60
    while (found := is_it()) is None:
        assert asyncio.get_event_loop().time() < deadline, f"waited 60 s in vain for {what}"
        await client.sync(timeout=1000)
        # What the Olm machine has to ask and to tell, as nio's own sync_forever does it.
        if client.should_upload_keys:
            await client.keys_upload()
        if client.should_query_keys:
            await client.keys_query()
        if client.should_claim_keys:
            await client.keys_claim(client.get_users_for_key_claiming())
        await client.send_to_device_messages()
    return found


def right(response, kind):
    assert isinstance(response, kind), response
    return response


async def talk(store, url, user, password, bot, words):
    client = AsyncClient(url, user, store_path=store, config=AsyncClientConfig(encryption_enabled=True))
    heard, unreadable, in_clear = [], [], []

    def hear(room, event):
        if event.sender != bot:
            return
        relation = event.source["content"].get("m.relates_to", {})
        heard.append((relation.get("m.in_reply_to", {}).get("event_id"), event.body))
        if not event.decrypted:
            in_clear.append(event.event_id)

    client.add_event_callback(hear, RoomMessage)
    client.add_event_callback(lambda room, event: unreadable.append(event.event_id), MegolmEvent)
    try:
        right(await client.login(password, device_name="nio"), LoginResponse)
        await client.sync(timeout=0)
        await client.keys_upload()
        encryption = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
        room = right(await client.room_create(invite=[bot], initial_state=[encryption]), RoomCreateResponse).room_id
        greeting = await until(client, lambda: next((body for to, body in heard if to is None), None), "the greeting")
        replies = []
        for word in words:
            content = {"msgtype": "m.text", "body": word}
            sent = right(
                await client.room_send(room, "m.room.message", content, ignore_unverified_devices=True), RoomSendResponse
            )
            answer = lambda: next((body for to, body in heard if to == sent.event_id), None)
            replies.append(await until(client, answer, f"the reply to {word}"))
        print(json.dumps({
            "greeting": greeting, "replies": replies, "undecryptable": len(unreadable), "in_clear": len(in_clear)
        }))
    finally:
        await client.close()


with tempfile.TemporaryDirectory(prefix="homing-nio-") as directory:
    asyncio.run(talk(directory, *sys.argv[1:5], sys.argv[5:]))
