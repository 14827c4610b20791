// Both kinds of sync, as the library speaks them.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { history, messagesOf, newUser, sdk, stopAll, unique, until, untilMember, untilMembership, untilMessage, baseUrl } from "./support/client.mjs";
import { anotherDevice, anotherSlidingDevice, encryptedRoom, eventually, newCryptoUser, untilReadable } from "./support/crypto.mjs";
import { newSlidingClient, unknownPosition, untilRooms } from "./support/sliding.mjs";

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

test("sliding: a room that the list does not reach is there once the client opens it", async () => {
  const [alice, bob] = await Promise.all([newUser("alice"), newUser("bob")]);
  const rooms = [];
  for (let i = 0; i < 3; i++) {
    const { room_id: id } = await alice.createRoom({ preset: "public_chat", name: unique(`room${i}`) });
    await bob.joinRoom(id);
    rooms.push(id);
  }
  const [opened, , newest] = rooms;
  const before = await alice.sendTextMessage(opened, "before");
  await alice.sendTextMessage(newest, "newest");
  const phone = await newSlidingClient(bob, { to: 0 });
  await untilRooms(phone, [newest]);
  assert.equal(phone.getRoom(opened), null);

  phone.sliding.modifyRoomSubscriptions(new Set([opened]));
  await untilRooms(phone, [opened]);
  await untilMessage(phone, opened, before.event_id);
  const after = await alice.sendTextMessage(opened, "after");
  await untilMessage(phone, opened, after.event_id);
  phone.sliding.modifyRoomSubscriptions(new Set());
  const last = await alice.sendTextMessage(newest, "the list goes on");
  await untilMessage(phone, newest, last.event_id);
  assert.deepEqual(messagesOf(phone.getRoom(opened)).map(e => e.getId()), [before.event_id, after.event_id]);
});

test("sliding: messages to the device come in order and once, and so do rooms, though the position is lost in between", async () => {
  const [alice, bob] = await Promise.all([newUser("alice"), newUser("bob")]);
  const { room_id: roomId } = await alice.createRoom({ preset: "public_chat", name: unique("lost") });
  await bob.joinRoom(roomId);
  const phone = await newSlidingClient(bob);
  await untilRooms(phone, [roomId]);
  const type = unique("org.example.ping"), got = [];
  phone.on(sdk.ClientEvent.ToDeviceEvent, e => { if (e.getType() === type) got.push(e.getContent().n); });
  let sent = 0;
  const ping = async () => {
    const n = sent++;
    await alice.sendToDevice(type, new Map([[bob.getUserId(), new Map([[phone.getDeviceId(), { n }]])]]));
  };
  const untilPinged = () => until(phone, sdk.ClientEvent.ToDeviceEvent, () => got.length >= sent, `${sent} messages to the device`);

  await ping();
  await ping();
  await untilPinged();
  const before = await alice.sendTextMessage(roomId, "before");
  await untilMessage(phone, roomId, before.event_id);
  const refused = await phone.losePosition();
  assert.equal(refused.errcode, "M_UNKNOWN_POS");
  const after = await alice.sendTextMessage(roomId, "after");
  await ping();
  await untilPinged();
  await untilMessage(phone, roomId, after.event_id);
  assert.deepEqual(got, [0, 1, 2]);
  assert.deepEqual(messagesOf(phone.getRoom(roomId)).map(e => e.getId()), [before.event_id, after.event_id]);
  // And it goes on without being told everything again and again.
  const type2 = unique("org.example.setting");
  await bob.setAccountData(type2, { on: true });
  await until(phone, [sdk.ClientEvent.AccountData, sdk.ClientEvent.Event], () => phone.getAccountData(type2)?.getContent().on, "account data after that");
});

test("sliding: a client that encrypts gets keys, and hears of devices that are new", async () => {
  const [alice, bob] = await Promise.all([newCryptoUser("alice"), newUser("bob")]);
  const phone = await anotherSlidingDevice(bob);
  const roomId = await encryptedRoom(alice, [bob.getUserId()]);
  await untilMembership(phone, roomId, "invite");
  await phone.joinRoom(roomId);
  await untilMembership(phone, roomId, "join");
  await untilMember(alice, roomId, bob.getUserId(), "join");
  const { event_id: first } = await alice.sendTextMessage(roomId, "for the phone");
  assert.equal((await untilReadable(phone, roomId, first)).getContent().body, "for the phone");
  const { event_id: second } = await phone.sendTextMessage(roomId, "from the phone");
  await untilReadable(alice, roomId, second);

  const tablet = await anotherDevice(alice, { knowing: false });
  await untilMembership(tablet, roomId, "join");
  const devices = async () => (await phone.getCrypto().getUserDeviceInfo([alice.getUserId()])).get(alice.getUserId());
  await eventually(async () => (await devices())?.has(tablet.getDeviceId()), "the phone hears of the tablet");
  const { event_id: third } = await phone.sendTextMessage(roomId, "for both");
  await untilReadable(alice, roomId, third);
  await untilReadable(tablet, roomId, third);
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
  const unknown = await ask(unknownPosition);
  assert.deepEqual([unknown.status, unknown.body.errcode], [400, "M_UNKNOWN_POS"]);
});
