// The first real conversation, through every service.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { history, logInAgain, messagesOf, newUser, sdk, stopAll, unique, until, untilMember, untilMembership, untilMessage } from "./support/client.mjs";

let alice, bob, roomId;

before(async () => {
  [alice, bob] = await Promise.all([newUser("alice"), newUser("bob")]);
});
after(stopAll);

test("names that users give themselves are kept", async () => {
  await alice.setDisplayName("Alice ⛵");
  await bob.setDisplayName("Bob");
  assert.equal((await bob.getProfileInfo(alice.getUserId())).displayname, "Alice ⛵");
});

test("one makes a room and invites, the other sees it and joins", async () => {
  const name = unique("harbour");
  const created = await alice.createRoom({ name, topic: "Ships", preset: "private_chat", invite: [] });
  roomId = created.room_id;
  await untilMembership(alice, roomId, "join");
  await alice.invite(roomId, bob.getUserId());
  const invited = await untilMembership(bob, roomId, "invite");
  assert.equal(invited.name, name);
  await bob.joinRoom(roomId);
  const room = await untilMembership(bob, roomId, "join");
  await until(bob, [sdk.RoomStateEvent.Events, sdk.RoomEvent.Name], () => room.name === name, "the name of the room");
  await untilMember(alice, roomId, bob.getUserId(), "join");
});

test("each sees what the other sends, with the name of the other", async () => {
  const first = await alice.sendTextMessage(roomId, "Ahoy, Bob 👋");
  const seen = await untilMessage(bob, roomId, first.event_id);
  assert.equal(seen.getContent().body, "Ahoy, Bob 👋");
  const second = await bob.sendTextMessage(roomId, "Ahoy, Alice");
  await untilMessage(alice, roomId, second.event_id);
  for (const client of [alice, bob]) {
    // The echo of the own message comes with the next sync.
    const both = await until(client, [sdk.RoomEvent.Timeline, sdk.RoomEvent.LocalEchoUpdated],
      () => { const seen = messagesOf(client.getRoom(roomId)); return seen.length === 2 && seen; }, "both messages");
    assert.deepEqual(both.map(e => e.getId()), [first.event_id, second.event_id]);
  }
  const sender = await until(bob, [sdk.RoomMemberEvent.Name, sdk.RoomStateEvent.Members], () => bob.getRoom(roomId)?.getMember(alice.getUserId()), "alice as a member");
  assert.equal(sender.rawDisplayName, "Alice ⛵");
});

test("typing is seen while it lasts", async () => {
  const typing = expected => until(bob, [sdk.RoomMemberEvent.Typing, sdk.ClientEvent.Event],
    () => (bob.getRoom(roomId)?.getMember(alice.getUserId())?.typing ?? false) === expected, `typing: ${expected}`);
  await alice.sendTyping(roomId, true, 20_000);
  await typing(true);
  await alice.sendTyping(roomId, false, 0);
  await typing(false);
});

test("a read receipt is seen by the other", async () => {
  const [, last] = messagesOf(bob.getRoom(roomId));
  await alice.sendReadReceipt(messagesOf(alice.getRoom(roomId)).at(-1));
  await until(bob, sdk.RoomEvent.Receipt, () => bob.getRoom(roomId)?.getEventReadUpTo(alice.getUserId(), true) === last.getId(), "the receipt");
});

test("a new device pages back through everything, each event once", async () => {
  const bodies = Array.from({ length: 45 }, (_, i) => `line ${i}`);
  let last;
  for (const body of bodies) last = await alice.sendTextMessage(roomId, body);
  await untilMessage(bob, roomId, last.event_id);
  const fresh = await logInAgain(bob, { initialSyncLimit: 5 });
  const room = await untilMembership(fresh, roomId, "join");
  assert.ok(messagesOf(room).length <= 5);
  while (room.getLiveTimeline().getPaginationToken(sdk.Direction.Backward)) await fresh.scrollback(room, 10);
  const events = room.getLiveTimeline().getEvents();
  assert.equal(events[0].getType(), "m.room.create");
  assert.equal(new Set(events.map(e => e.getId())).size, events.length);
  assert.deepEqual(messagesOf(room).map(e => e.getContent().body), ["Ahoy, Bob 👋", "Ahoy, Alice", ...bodies]);
  assert.deepEqual((await history(bob, roomId)).map(e => e.event_id), events.map(e => e.getId()));
});

test("who leaves hears no more and cannot send", async () => {
  await bob.leave(roomId);
  await untilMember(alice, roomId, bob.getUserId(), "leave");
  await assert.rejects(bob.sendTextMessage(roomId, "still here?"), error => error.errcode === "M_FORBIDDEN");
  const after = await alice.sendTextMessage(roomId, "fair winds");
  await untilMessage(alice, roomId, after.event_id);
  assert.equal(bob.getRoom(roomId)?.findEventById(after.event_id), undefined);
});
