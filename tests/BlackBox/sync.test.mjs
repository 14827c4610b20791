// Both kinds of sync, as the library speaks them.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { history, messagesOf, newUser, sdk, stopAll, unique, until, untilMembership, untilMessage, baseUrl } from "./support/client.mjs";
import { newSlidingClient, untilRooms } from "./support/sliding.mjs";

after(stopAll);

test("classic: who comes back after many messages finds the newest, and the others by paging", async () => {
  const [alice, bob] = await Promise.all([newUser("alice"), newUser("bob", { timelineLimit: 3 })]);
  const { room_id: roomId } = await alice.createRoom({ preset: "public_chat", name: unique("gap") });
  await bob.joinRoom(roomId);
  await untilMembership(bob, roomId, "join");
  bob.stopClient();
  const sent = [];
  for (let i = 0; i < 8; i++) sent.push((await alice.sendTextMessage(roomId, `${i}`)).event_id);
  await bob.startClient({ filter: undefined, lazyLoadMembers: true, initialSyncLimit: 3 });
  await untilMessage(bob, roomId, sent.at(-1));
  const told = (await history(bob, roomId)).filter(e => e.type === "m.room.message").map(e => e.event_id);
  assert.deepEqual(told, sent);
});

test("sliding: rooms of the range come with their names, and what is said in them", async () => {
  const [alice, bob] = await Promise.all([newUser("alice"), newUser("bob")]);
  const rooms = [];
  for (let i = 0; i < 4; i++) {
    const name = unique(`room${i}`);
    const { room_id: id } = await alice.createRoom({ preset: "public_chat", name });
    await bob.joinRoom(id);
    await untilMembership(bob, id, "join");
    rooms.push({ id, name });
  }
  const before = await alice.sendTextMessage(rooms[0].id, "before");
  const phone = await newSlidingClient(bob, { to: 1 });
  await untilRooms(phone, [rooms[0].id]);
  assert.equal(phone.getRoom(rooms[0].id).name, rooms[0].name);
  await untilMessage(phone, rooms[0].id, before.event_id);
  assert.equal(phone.sliding.getListData("all").joinedCount, 4);
  assert.ok(phone.getRooms().length <= 2, "no more rooms than the range has");

  phone.sliding.setListRanges("all", [[0, 9]]);
  await untilRooms(phone, rooms.map(r => r.id));
  for (const room of rooms) assert.equal(phone.getRoom(room.id).name, room.name);

  const sent = [];
  for (const room of rooms) sent.push([room.id, (await alice.sendTextMessage(room.id, `live in ${room.name}`)).event_id]);
  for (const [roomId, eventId] of sent) await untilMessage(phone, roomId, eventId);
  for (const [roomId, eventId] of sent)
    assert.equal(messagesOf(phone.getRoom(roomId)).filter(e => e.getId() === eventId).length, 1, "once");

  const answer = await phone.sendTextMessage(rooms[2].id, "from the phone");
  await untilMessage(alice, rooms[2].id, answer.event_id);
  await untilMessage(phone, rooms[2].id, answer.event_id);
});

test("sliding: typing, receipts and account data come as extensions", async () => {
  const [alice, bob] = await Promise.all([newUser("alice"), newUser("bob")]);
  const { room_id: roomId } = await alice.createRoom({ preset: "public_chat", name: unique("talk") });
  await bob.joinRoom(roomId);
  const phone = await newSlidingClient(bob);
  await untilRooms(phone, [roomId]);
  const room = phone.getRoom(roomId);

  await alice.sendTyping(roomId, true, 20_000);
  await until(phone, [sdk.RoomMemberEvent.Typing, sdk.ClientEvent.Event], () => room.getMember(alice.getUserId())?.typing, "alice types");
  const mine = await phone.sendTextMessage(roomId, "read this");
  const seen = await untilMessage(alice, roomId, mine.event_id);
  await alice.sendReadReceipt(seen);
  await untilMessage(phone, roomId, mine.event_id);
  await until(phone, [sdk.RoomEvent.Receipt, sdk.ClientEvent.Event], () => room.hasUserReadEvent(alice.getUserId(), mine.event_id), "alice has read it");

  const type = unique("org.example.setting");
  await bob.setAccountDataRaw?.(type, { on: true }) ?? await bob.setAccountData(type, { on: true });
  await until(phone, [sdk.ClientEvent.AccountData, sdk.ClientEvent.Event], () => phone.getAccountData(type)?.getContent().on, "account data");
});

test("sliding: an invitation comes, is accepted, and a kick ends it", async () => {
  const [alice, bob] = await Promise.all([newUser("alice"), newUser("bob")]);
  const phone = await newSlidingClient(bob);
  const { room_id: roomId } = await alice.createRoom({ preset: "private_chat", name: unique("private") });
  await alice.invite(roomId, bob.getUserId());
  await untilMembership(phone, roomId, "invite");
  await phone.joinRoom(roomId);
  await untilMembership(phone, roomId, "join");
  const sent = await alice.sendTextMessage(roomId, "welcome");
  await untilMessage(phone, roomId, sent.event_id);
  await alice.kick(roomId, bob.getUserId(), "enough");
  await untilMembership(phone, roomId, "leave");
});

test("sliding: a position that the server does not know begins anew", async () => {
  const alice = await newUser("alice");
  const name = unique("again");
  const { room_id: roomId } = await alice.createRoom({ name });
  await until(alice, [sdk.RoomEvent.Name, sdk.ClientEvent.Room], () => alice.getRoom(roomId)?.name === name, "the room with its name");
  const ask = async pos => {
    const answer = await fetch(`${baseUrl}/_matrix/client/unstable/org.matrix.simplified_msc3575/sync?timeout=0${pos ? `&pos=${pos}` : ""}`, {
      method: "POST", headers: { authorization: `Bearer ${alice.getAccessToken()}`, "content-type": "application/json" },
      body: JSON.stringify({ lists: { all: { ranges: [[0, 9]], timeline_limit: 1, required_state: [] } } }),
    });
    return { status: answer.status, body: await answer.json() };
  };
  const first = await ask();
  assert.equal(first.status, 200);
  assert.ok(first.body.rooms[roomId].initial);
  assert.deepEqual((await ask(first.body.pos)).body.rooms, {});
  const unknown = await ask("s1_e1c999999v1");
  assert.deepEqual([unknown.status, unknown.body.errcode], [400, "M_UNKNOWN_POS"]);
});
