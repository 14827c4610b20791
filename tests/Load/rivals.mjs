// Two persisters that share rooms out between them, and two that fight for every room: what the fight costs, and that nothing is lost in it.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { cpu, times, timed, usage } from "./support/measure.mjs";
import { numbers, options, progress, result } from "./support/options.mjs";
import { call, join, newRoom, newUser, reached, say, useServer } from "./support/server.mjs";

const asked = options("node tests/Load/rivals.mjs: sends of many users with and without affinity of rooms to persisters", {
  data: ["", "data folder of a fleet that is started and stopped for each measurement; without it --url is measured as it is"],
  port: [28018, "its port"],
  affinity: ["true,false", "which of the two are measured"],
  rooms: ["1,8", "rooms that are sent to at the same time"],
  senders: [20, "users who send, one event after the other"],
  seconds: [20, "length of each measurement"],
  warmup: [3, "seconds of sending before it"],
});
const root = fileURLToPath(new URL("../..", import.meta.url));

/** The fleet, until stop() is called. */
async function startFleet(affinity) {
  const run = spawn("./run", ["fleet", "--data", asked.data, "--port", `${asked.port}`, "--no-dashboard"], {
    cwd: root, stdio: ["ignore", "ignore", "inherit"], env: { ...process.env, ARMADA__armada__room_affinity: `${affinity}` },
  });
  const ended = new Promise(resolve => run.once("exit", resolve));
  const begun = performance.now();
  // A first start compiles.
  for (let isUp = false; !isUp;) {
    isUp = await Promise.race([reached().then(() => true, () => false), ended.then(code => { throw new Error(`./run ended with ${code}`); })]);
    if (!isUp && performance.now() - begun > 900_000) throw new Error("the fleet did not start");
  }
  return async () => {
    run.kill("SIGINT");
    await ended;
  };
}

/** Sends until the time is over; what was acknowledged, by room, and how often a room was too busy. */
async function send(users, rooms, seconds) {
  const sent = new Map(rooms.map(room => [room, []])), taken = [];
  const end = performance.now() + seconds * 1000;
  let busy = 0, n = 0;
  await Promise.all(users.map(async (user, i) => {
    for (let turn = i; performance.now() < end; turn++) {
      const room = rooms[turn % rooms.length];
      try {
        const { ms, value } = await timed(() => say(user, room, `message ${n++}`));
        taken.push(ms);
        sent.get(room).push(value.json().event_id);
      } catch (error) {
        if (!error.message.includes(": 503 ")) throw error;
        busy++;
      }
    }
  }));
  return { sent, taken, busy };
}

/** All messages of a room as a user reads them, the oldest first. */
async function read(user, room) {
  const found = [];
  for (let from = ""; from !== undefined;) {
    const path = `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/messages?dir=f&limit=1000${from && `&from=${encodeURIComponent(from)}`}`;
    const page = (await call("GET", path, { token: user.token })).json();
    found.push(...page.chunk.filter(e => e.type === "m.room.message").map(e => e.event_id));
    from = page.end;
  }
  return found;
}

/** Events that were acknowledged and are not there, that are there twice, or that two users read in another order. */
async function check(users, sent) {
  let lost = 0, twice = 0, disordered = 0;
  for (const [room, ids] of sent) {
    const [one, other] = await Promise.all([read(users[0], room), read(users.at(-1), room)]);
    const there = new Set(one);
    lost += ids.filter(id => !there.has(id)).length;
    twice += one.length - there.size;
    disordered += one.length !== other.length || one.some((id, i) => other[i] !== id) ? 1 : 0;
  }
  return { lost, twice, disordered };
}

async function measure(affinity, count) {
  const users = [];
  for (let i = 0; i < asked.senders; i++) users.push(await newUser("rival"));
  const rooms = [];
  for (let i = 0; i < count; i++) {
    rooms.push(await newRoom(users[0], { preset: "public_chat" }));
    for (const user of users.slice(1)) await join(user, rooms[i]);
  }
  await send(users, rooms, asked.warmup);
  const pids = asked.pids || (asked.data && `${asked.data}/run`);
  const before = usage(pids);
  const { sent, taken, busy } = await send(users, rooms, asked.seconds);
  const after = usage(pids);
  const faults = await check(users, sent);
  const perSecond = Math.round(taken.length / asked.seconds * 10) / 10;
  result(asked, "rivals", { affinity, rooms: count, senders: asked.senders, events_per_s: perSecond, busy, ...faults, ...times(taken), ...cpu(before, after, taken.length) });
  return { perSecond, isWhole: faults.lost + faults.twice + faults.disordered === 0 };
}

const found = new Map();
let isWhole = true;
for (const affinity of asked.affinity.split(",")) {
  if (asked.data) useServer(`http://127.0.0.1:${asked.port}`);
  else useServer(asked.url);
  if (asked.data) progress(`starting a fleet ${affinity === "true" ? "that shares rooms out" : "of rivals"}`);
  const stop = asked.data ? await startFleet(affinity) : async () => {};
  try {
    for (const count of numbers(asked.rooms)) {
      progress(`${count} room${count === 1 ? "" : "s"}`);
      const one = await measure(affinity, count);
      isWhole &&= one.isWhole;
      found.set(`${affinity} ${count}`, one.perSecond);
    }
  } finally {
    await stop();
  }
}
for (const count of numbers(asked.rooms)) {
  const [shared, rival] = [found.get(`true ${count}`), found.get(`false ${count}`)];
  if (shared && rival) result(asked, "rivals ratio", { rooms: count, shared, rival, ratio: Math.round(rival / shared * 100) / 100 });
}
if (!isWhole) progress("EVENTS WERE LOST, DOUBLED OR READ IN ANOTHER ORDER");
process.exit(isWhole ? 0 : 1);
