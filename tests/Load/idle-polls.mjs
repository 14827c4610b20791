// Clients that wait for nothing while others talk.
import { setMaxListeners } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { cpu, memory, usage } from "./support/measure.mjs";
import { options, progress, result } from "./support/options.mjs";
import { newRoom, newUser, say, sync, useServer } from "./support/server.mjs";
import { Population } from "./support/state.mjs";

const asked = options("node tests/Load/idle-polls.mjs: what long polls cost that nothing concerns", {
  polls: [10_000, "long polls, parked in four steps"],
  users: [500, "accounts that poll"],
  events: [40, "events a second, sent in a room of somebody else"],
  seconds: [30, "how long each measurement takes"],
  timeout: [180, "seconds that a poll waits; then the client asks again"],
  width: [16, "requests at the same time while accounts are made"],
});
useServer(asked.url);
const Steps = 4;
const population = new Population(asked.state);
const users = await population.list("idle", Math.min(asked.users, asked.polls), async () => {
  const user = await newUser("idle");
  await newRoom(user, { preset: "private_chat" });
  return user;
}, asked.width);
const talker = await newUser("talker"), roomId = await newRoom(talker, {});
progress("first syncs");
for (const user of users) user.since = (await sync(user)).json().next_batch;

const end = new AbortController();
setMaxListeners(0, end.signal);
let parked = 0, renewed = 0, answered = 0, failed = 0;
async function park(user) {
  parked++;
  let { since } = user;
  while (!end.signal.aborted) {
    try {
      const answer = (await sync(user, { since, timeout: asked.timeout * 1000, signal: end.signal })).json();
      if (answer.rooms) answered++;
      else renewed++;
      since = answer.next_batch;
    } catch (error) {
      if (error.name === "AbortError") return;
      failed++;
      progress(error.message);
      await pause(1000);
    }
  }
}

/** CPU while somebody talks, or nobody. */
async function measure(perSecond) {
  const before = usage(asked.pids), begun = performance.now();
  let sent = 0;
  while (performance.now() - begun < asked.seconds * 1000) {
    if (perSecond === 0) {
      await pause(asked.seconds * 1000);
      continue;
    }
    await say(talker, roomId, `${sent++}`);
    const ahead = (sent / perSecond) * 1000 - (performance.now() - begun);
    if (ahead > 0) await pause(ahead);
  }
  const after = usage(asked.pids), elapsed = performance.now() - begun;
  const share = cpu(before, after, elapsed / 100);
  result(asked, "idle-polls", {
    polls: parked, users: users.length, events_per_s: Math.round(sent / elapsed * 1000), renewed, answered, failed,
    ...(share && { cpu_percent: share.cpu_ms, sync_cpu_percent: share.sync_cpu_ms, infra_cpu_percent: share.infra_cpu_ms }), ...memory(after),
  });
}

await measure(0);
await measure(asked.events);
for (let step = 1; step <= Steps; step++) {
  while (parked < asked.polls * step / Steps) {
    void park(users[parked % users.length]);
    if (parked % 200 === 0) await pause(50);
  }
  progress(`${parked} polls parked`);
  await pause(2000);
  if (step === Steps) await measure(0);
  await measure(asked.events);
}
end.abort();
process.exit(failed === 0 && answered === 0 ? 0 : 1);
