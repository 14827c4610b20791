// Clients that wait for nothing while others talk:  node tests/Load/idle-polls.mjs [--polls 10000] [--users 500] [--events 40] [--seconds 60]
import { setMaxListeners } from "node:events";
import { call, inParallel, newUser, option, say, usage } from "./support/server.mjs";

const polls = option("polls", 10_000), userCount = Math.min(option("users", 500), polls), perSecond = option("events", 40), seconds = option("seconds", 60);
const users = await inParallel(16, Array.from({ length: userCount }, () => async () => {
  const user = await newUser("idle");
  await call("POST", "/_matrix/client/v3/createRoom", { token: user.token, body: { preset: "private_chat" } });
  const { next_batch: since } = (await call("GET", "/_matrix/client/v3/sync?timeout=0&set_presence=offline", { token: user.token })).json();
  return { ...user, since };
}));
const talker = await newUser("talker");
const { room_id: roomId } = (await call("POST", "/_matrix/client/v3/createRoom", { token: talker.token, body: {} })).json();
const empty = usage();

const end = new AbortController();
setMaxListeners(0, end.signal);
let answered = 0, failed = 0;
for (let i = 0; i < polls; i++) {
  const user = users[i % users.length];
  call("GET", `/_matrix/client/v3/sync?timeout=170000&set_presence=offline&since=${user.since}`, { token: user.token, signal: end.signal })
    .then(() => answered++, error => { if (error.name !== "AbortError") failed++; });
  if (i % 200 === 199) await new Promise(resolve => setTimeout(resolve, 50));
}
await new Promise(resolve => setTimeout(resolve, 2000));
const before = usage(), begun = performance.now();
let sent = 0;
while (performance.now() - begun < seconds * 1000) {
  await say(talker, roomId, `${sent++}`);
  const ahead = (sent / perSecond) * 1000 - (performance.now() - begun);
  if (ahead > 0) await new Promise(resolve => setTimeout(resolve, ahead));
}
const after = usage(), elapsed = performance.now() - begun;
end.abort();
console.log(`${polls} polls parked, ${answered} answered, ${failed} failed; ${sent} events in ${(elapsed / 1000).toFixed(1)} s`);
if (before) {
  console.log(`CPU: ${(((after.cpuMs - before.cpuMs) / elapsed) * 100).toFixed(2)} % of a core with the events, `
    + `memory: ${before.residentMb.toFixed(0)} MB with the polls, ${empty.residentMb.toFixed(0)} MB before them`);
}
process.exit(failed === 0 ? 0 : 1);
