// Redis, then PostgreSQL, stand still in the middle of a conversation and go on: nothing acknowledged is lost, and all recovers by itself.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { history, newUser, stopAll, untilMembership, untilMessage } from "./support/client.mjs";

const pids = process.env.ARMADA_PIDS;
const skip = pids ? false : "only where ARMADA_PIDS names the folder of the servers' process ids";
after(stopAll);

const pidOf = name => Number(readFileSync(join(pids, `${name}.pid`), "utf8").split("\n")[0]);

/** Ends the connections of a PostgreSQL, each a child process of it; those that end by themselves meanwhile are gone as well. */
function endConnections(postgres) {
  for (const child of readFileSync(`/proc/${postgres}/task/${postgres}/children`, "utf8").trim().split(" ").filter(Boolean)) {
    try {
      const name = readFileSync(`/proc/${child}/cmdline`, "utf8");
      if (/postgres: .*(idle|INSERT|SELECT|UPDATE|COMMIT|BIND|PARSE|LISTEN)/.test(name)) process.kill(Number(child), "SIGTERM");
    } catch (error) {
      if (error.code !== "ENOENT" && error.code !== "ESRCH") throw error;
    }
  }
}

async function twoInARoom() {
  const [alice, bob] = await Promise.all([newUser("alice", { timelineLimit: 1000 }), newUser("bob", { timelineLimit: 1000 })]);
  const { room_id: roomId } = await alice.createRoom({ preset: "public_chat" });
  await bob.joinRoom(roomId);
  await untilMembership(bob, roomId, "join");
  return { alice, bob, roomId };
}

const put = (client, roomId, txnId) => client.http.authedRequest(
  "PUT", `/rooms/${encodeURIComponent(roomId)}/send/m.room.message/${txnId}`, undefined, { msgtype: "m.text", body: txnId });

test("while Redis stands still sends go on and are delivered", { skip, timeout: 120_000 }, async () => {
  const { alice, bob, roomId } = await twoInARoom();
  const sent = [];
  const redis = pidOf("redis");
  process.kill(redis, "SIGSTOP");
  try {
    for (let i = 0; i < 20; i++) sent.push((await put(alice, roomId, `still-${i}`)).event_id);
    // Delivered before Redis is back: the readers poll the database.
    for (const id of sent) await untilMessage(bob, roomId, id);
  } finally {
    process.kill(redis, "SIGCONT");
  }
  for (let i = 0; i < 20; i++) sent.push((await put(alice, roomId, `again-${i}`)).event_id);
  for (const id of sent) await untilMessage(bob, roomId, id);
  const order = (await history(bob, roomId)).map(e => e.event_id).filter(id => sent.includes(id));
  assert.deepEqual(order, sent);
});

test("a database that restarts costs retries and nothing else", { skip, timeout: 120_000 }, async () => {
  const { alice, bob, roomId } = await twoInARoom();
  const sent = [];
  /** What is answered with 503 is asked again, as a client does. */
  const retried = async (what, ask) => {
    for (let attempt = 0; attempt < 60; attempt++) {
      try {
        return await ask();
      } catch (error) {
        assert.ok((error.httpStatus ?? 503) >= 500, `${what} failed for good: ${error.httpStatus} ${error.message}`);
        await pause(250);
      }
    }
    return assert.fail(`${what} never succeeded`);
  };
  const send = txnId => retried(txnId, async () => (await put(alice, roomId, txnId)).event_id);
  for (let i = 0; i < 10; i++) sent.push(await send(`before-${i}`));
  // All its connections end at once, as in a restart.
  endConnections(pidOf("postgres"));
  for (let i = 0; i < 30; i++) sent.push(await send(`after-${i}`));
  assert.equal(new Set(sent).size, sent.length);
  for (const id of sent) await untilMessage(bob, roomId, id);
  const order = (await retried("history", () => history(bob, roomId))).map(e => e.event_id).filter(id => sent.includes(id));
  assert.deepEqual(order, sent);
});
