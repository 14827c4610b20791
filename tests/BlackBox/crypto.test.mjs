// End-to-end encryption with real clients: what they trust the server with is right.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { history, sdk, stopAll, unique, until, untilMember, untilMembership } from "./support/client.mjs";
import {
  anotherDevice, ask, askKeys, encryptedRoom, eventually, newCryptoUser, setUpIdentity, untilReadable, verifyBySas,
} from "./support/crypto.mjs";

let alice, bob, roomId;
const read = []; // what was said in the room

const say = async (client, body) => {
  const { event_id: id } = await client.sendTextMessage(roomId, body);
  read.push({ id, body });
  return id;
};

before(async () => {
  [alice, bob] = await Promise.all([newCryptoUser("alice"), newCryptoUser("bob")]);
});
after(stopAll);

test("messages go both ways and the server sees none of them", async () => {
  roomId = await encryptedRoom(alice, [bob.getUserId()]);
  await untilMembership(bob, roomId, "invite");
  await bob.joinRoom(roomId);
  await untilMembership(bob, roomId, "join");
  await untilMember(alice, roomId, bob.getUserId(), "join");
  const first = await say(alice, "The tide turns at six.");
  assert.equal((await untilReadable(bob, roomId, first)).getContent().body, "The tide turns at six.");
  const second = await say(bob, "Then at six ⛵");
  assert.equal((await untilReadable(alice, roomId, second)).getContent().body, "Then at six ⛵");
  const stored = await history(alice, roomId);
  assert.equal(stored.filter(e => e.type === "m.room.encrypted").length, 2);
  assert.equal(stored.filter(e => e.type === "m.room.message").length, 0);
  assert.doesNotMatch(JSON.stringify(stored), /tide/);
});

test("an identity is set up without a password and read by others", async () => {
  await Promise.all([setUpIdentity(alice), setUpIdentity(bob)]);
  for (const client of [alice, bob]) {
    assert.equal(await client.getCrypto().isCrossSigningReady(), true);
    assert.equal(await client.getCrypto().isSecretStorageReady(), true);
  }
  const status = () => bob.getCrypto().getDeviceVerificationStatus(alice.getUserId(), alice.getDeviceId());
  await eventually(async () => (await status())?.signedByOwner, "bob sees that alice has signed her device");
  assert.equal((await status()).crossSigningVerified, false);
});

test("other keys in place of those need the password", async () => {
  const stage = { type: "m.login.password", identifier: { type: "m.id.user", user: alice.getUserId() }, password: "wrong" };
  const keys = (await askKeys(bob, "query", { device_keys: { [bob.getUserId()]: [] } })).master_keys[bob.getUserId()];
  const other = { ...keys, user_id: alice.getUserId(), signatures: {} };
  for (const auth of [undefined, stage])
    await assert.rejects(askKeys(alice, "device_signing/upload", { master_key: other, auth }), /401/);
});

test("two users verify each other by emoji", async () => {
  await verifyBySas(alice, bob, () => alice.getCrypto().requestVerificationDM(bob.getUserId(), roomId));
  for (const [one, other] of [[alice, bob], [bob, alice]]) {
    await eventually(async () => (await one.getCrypto().getUserVerificationStatus(other.getUserId())).isCrossSigningVerified(), "they trust each other");
    const device = await one.getCrypto().getDeviceVerificationStatus(other.getUserId(), other.getDeviceId());
    assert.equal(device.crossSigningVerified, true);
  }
});

let phone;
test("a new device is verified by emoji with the first one, and others trust it from then on", async () => {
  phone = await anotherDevice(alice, { knowing: false });
  const trusted = () => bob.getCrypto().getDeviceVerificationStatus(alice.getUserId(), phone.getDeviceId());
  await eventually(trusted, "bob hears of the device");
  assert.equal((await trusted()).crossSigningVerified, false);
  await verifyBySas(phone, alice, () => phone.getCrypto().requestOwnUserVerification());
  await eventually(async () => (await trusted())?.crossSigningVerified, "bob trusts the device");
  // The first device has given it the secrets.
  await eventually(() => phone.getCrypto().isCrossSigningReady(), "the device can sign");
  const id = await say(bob, "Welcome, phone");
  await untilReadable(phone, roomId, id);
});

test("a fresh device opens the secret storage and restores the backup", async () => {
  await say(alice, "kept for later");
  const sessions = new Set((await history(alice, roomId)).filter(e => e.type === "m.room.encrypted").map(e => e.content.session_id));
  const backup = await eventually(async () => {
    const info = await ask(alice, "GET", "room_keys/version");
    const kept = (await ask(alice, "GET", `room_keys/keys/${encodeURIComponent(roomId)}?version=${info.version}`)).sessions;
    // The phone may have kept them first, and it knows them only from what was said since it was there.
    return [...sessions].every(id => kept[id]?.first_message_index === 0) && info;
  }, "the keys of all that was said are backed up");
  const fresh = await anotherDevice(alice);
  const crypto = fresh.getCrypto();
  // The keys in the secret storage are compared with those that the server has: they must be known first.
  assert.equal(await crypto.userHasCrossSigningKeys(alice.getUserId(), true), true);
  await crypto.bootstrapCrossSigning({});
  await eventually(async () => (await crypto.getDeviceVerificationStatus(alice.getUserId(), fresh.getDeviceId())).crossSigningVerified, "it has signed itself");
  await crypto.loadSessionBackupPrivateKeyFromSecretStorage();
  assert.equal((await crypto.checkKeyBackupAndEnable()).backupInfo.version, backup.version);
  const restored = await crypto.restoreKeyBackup();
  assert.ok(restored.imported >= 2, `restored ${restored.imported}`);
  const room = await untilMembership(fresh, roomId, "join");
  while (room.getLiveTimeline().getPaginationToken(sdk.Direction.Backward)) await fresh.scrollback(room, 50);
  // Nobody has sent it the keys of what was said before it was there.
  for (const { id, body } of read) assert.equal((await untilReadable(fresh, roomId, id)).getContent().body, body);
  await fresh.logout(true);
});

test("a device that was removed is gone for the others and gets no new session", async () => {
  const [user, device] = [alice.getUserId(), phone.getDeviceId()];
  const knows = async () => (await bob.getCrypto().getUserDeviceInfo([user])).get(user)?.has(device);
  assert.equal(await knows(), true);
  const auth = { type: "m.login.password", identifier: { type: "m.id.user", user }, password: alice.session.password };
  phone.stopClient();
  await alice.deleteMultipleDevices([device], auth);
  await eventually(async () => !(await knows()), "bob no longer knows the device");
  bob.sentToDevices.length = 0;
  const id = await say(bob, "without the phone");
  await untilReadable(alice, roomId, id);
  const got = bob.sentToDevices.flatMap(messages => Object.keys(messages[user] ?? {}));
  assert.ok(got.includes(alice.getDeviceId()), "the other device has a new session");
  assert.ok(!got.includes(device) && !got.includes("*"), `${device} is not among ${got}`);
  assert.equal((await askKeys(bob, "query", { device_keys: { [user]: [] } })).device_keys[user][device], undefined);
});

test("fifty devices log in at once and each can read", async () => {
  const carol = await newCryptoUser("carol");
  await alice.invite(roomId, carol.getUserId());
  await untilMembership(carol, roomId, "invite");
  await carol.joinRoom(roomId);
  await untilMembership(carol, roomId, "join");
  const devices = await Promise.all(Array.from({ length: 50 }, () => anotherDevice(carol)));
  const known = async () => {
    const all = (await askKeys(alice, "query", { device_keys: { [carol.getUserId()]: [] } })).device_keys[carol.getUserId()];
    return Object.keys(all).length === 51;
  };
  await eventually(known, "51 devices have keys");
  await eventually(async () => (await alice.getCrypto().getUserDeviceInfo([carol.getUserId()])).get(carol.getUserId())?.size === 51, "alice knows 51 devices");
  const id = await say(alice, "all hands");
  await Promise.all([carol, ...devices].map(device => untilReadable(device, roomId, id)));
  for (const device of devices) device.stopClient();
});

test("when one-time keys run out the fallback key is given, and a message with it can be read", async () => {
  const dave = await newCryptoUser("dave");
  const [user, device] = [dave.getUserId(), dave.getDeviceId()];
  const room = await encryptedRoom(dave, [bob.getUserId()]);
  await untilMembership(bob, room, "invite");
  await bob.joinRoom(room);
  await untilMembership(bob, room, "join");
  // Ids say nothing here: those of one-time and of fallback keys begin alike.
  const claim = async () => {
    const answer = await askKeys(alice, "claim", { one_time_keys: { [user]: { [device]: "signed_curve25519" } } });
    return Object.values(answer.one_time_keys[user][device])[0];
  };
  const goOn = dave.pauseSync();
  const once = [];
  let key;
  while (!(key = await claim()).fallback) once.push(key.key);
  assert.ok(once.length >= 40, `${once.length} one-time keys`);
  assert.equal(new Set(once).size, once.length);
  assert.deepEqual(await claim(), key);
  // bob has no session with that device: his begins with the fallback key.
  const { event_id: id } = await bob.sendTextMessage(room, "by the last key");
  const used = bob.claimedKeys.flatMap(users => Object.values(users[user]?.[device] ?? {}));
  assert.deepEqual(used, [key]);
  goOn();
  assert.equal((await untilReadable(dave, room, id)).getContent().body, "by the last key");
  // The client has noticed and uploaded others.
  const next = await eventually(async () => { const other = await claim(); return !other.fallback && other; }, "new one-time keys");
  assert.ok(!once.includes(next.key));
});
