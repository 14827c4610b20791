// The conversation goes on while services are killed with -9 and come back: what was acknowledged is there once, in one order for all.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { history, newUser, pause, sdk, stopAll, untilMembership, untilMessage } from "./support/client.mjs";

const pids = process.env.ARMADA_PIDS;
const skip = pids ? false : "only where ARMADA_PIDS names the folder of the services' process ids";
const messagesEach = Number(process.env.ARMADA_CRASH_MESSAGES ?? 80);
// A retry is what a client may notice: an attempt that fails is repeated with the same transaction id.
const maxAttempts = 8;
after(stopAll);

const pidOf = name => {
  try {
    return Number(readFileSync(join(pids, `${name}.pid`), "utf8"));
  } catch {
    return 0;
  }
};
const isAlive = pid => {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch {
    return false;
  }
};

async function killAndAwaitReturn(name) {
  const old = pidOf(name);
  assert.ok(isAlive(old), `${name} runs`);
  process.kill(old, "SIGKILL");
  for (let i = 0; i < 600; i++) {
    await pause(100);
    const now = pidOf(name);
    if (now !== old && isAlive(now)) return;
  }
  assert.fail(`${name} did not come back`);
}

/** Sends as a client does that keeps its transaction id; gives the acknowledged event id and the number of attempts. */
async function send(client, roomId, body, txnId) {
  for (let attempt = 1; ; attempt++) {
    try {
      const answer = await client.http.authedRequest(
        "PUT", `/rooms/${encodeURIComponent(roomId)}/send/m.room.message/${txnId}`, undefined, { msgtype: "m.text", body });
      return { id: answer.event_id, attempt, body };
    } catch (error) {
      const status = error.httpStatus ?? 0;
      assert.ok(status === 0 || status >= 500 || status === 429, `a send failed for good: ${status} ${error.errcode} ${error.message}`);
      assert.ok(attempt < maxAttempts, `a send failed ${attempt} times, last with ${status} ${error.message}`);
      await pause(Math.min(250 * 2 ** attempt, 2000));
    }
  }
}

test("services are killed in the middle of a conversation", { skip, timeout: 240_000 }, async t => {
  const [alice, bob] = await Promise.all([newUser("alice", { timelineLimit: 1000 }), newUser("bob", { timelineLimit: 1000 })]);
  let loggedOut = 0;
  for (const client of [alice, bob]) client.on(sdk.HttpApiEvent.SessionLoggedOut, () => loggedOut++);
  const { room_id: roomId } = await alice.createRoom({ preset: "public_chat", invite: [bob.getUserId()] });
  await untilMembership(bob, roomId, "invite");
  await bob.joinRoom(roomId);
  await untilMembership(bob, roomId, "join");

  const acknowledged = [];
  let running = true;
  const talk = async (client, name) => {
    for (let i = 0; running || i < messagesEach; i++) {
      acknowledged.push(await send(client, roomId, `${name} ${i}`, `${name}-${i}`));
      await pause(20);
    }
  };
  const talking = Promise.all([talk(alice, "a"), talk(bob, "b")]);
  const until = count => Promise.race([talking, (async () => { while (acknowledged.length < count) await pause(20); })()]);
  try {
    for (const [i, name] of ["eventpersister-1", "sync-1", "eventpersister-2", "sync-2"].entries()) {
      await until(20 * (i + 1));
      await killAndAwaitReturn(name);
    }
  } finally {
    running = false;
  }
  await talking;

  const ids = acknowledged.map(a => a.id);
  assert.equal(new Set(ids).size, ids.length, "every message has an event of its own");
  for (const client of [alice, bob]) for (const id of ids) await untilMessage(client, roomId, id);
  const orders = [];
  for (const client of [alice, bob]) {
    const told = (await history(client, roomId)).filter(e => e.type === "m.room.message");
    assert.deepEqual(told.map(e => e.event_id).sort(), [...ids].sort(), "what was acknowledged is there, once, and nothing else");
    assert.deepEqual(new Map(told.map(e => [e.event_id, e.content.body])), new Map(
      told.map(e => [e.event_id, acknowledged.find(a => a.id === e.event_id).body])), "each with its text");
    orders.push(told.map(e => e.event_id));
    const synced = client.getRoom(roomId).getLiveTimeline().getEvents().filter(e => e.getType() === "m.room.message").map(e => e.getId());
    const expected = orders[0].filter(id => synced.includes(id));
    assert.deepEqual(synced, expected, "the live timeline has the order of the history");
  }
  assert.deepEqual(orders[0], orders[1], "both see the same order");
  assert.equal(loggedOut, 0, "nobody was logged out");
  const retries = acknowledged.filter(a => a.attempt > 1).length;
  t.diagnostic(`${ids.length} messages, ${retries} of them sent more than once`);
});
