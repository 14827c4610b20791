// Clients that read a large answer very slowly: what they cost the server, and the others.
import net from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { cpu, memory, timed, times, usage } from "./support/measure.mjs";
import { options, progress, result } from "./support/options.mjs";
import { newRoom, join, newUser, say, serverUrl, sync, syncPath, useServer } from "./support/server.mjs";
import { Population } from "./support/state.mjs";

const asked = options("node tests/Load/slow-client.mjs: clients that read their answers at a kilobyte a second", {
  clients: [50, "slow clients, all asking for an initial sync"],
  bytes: [1024, "bytes a second that each of them reads"],
  rooms: [300, "rooms of the account that they use: the answer should be larger than what networks buffer"],
  friends: [20, "accounts that share these rooms, one in each"],
  messages: [2, "messages in each room"],
  seconds: [20, "how long each measurement takes"],
  width: [16, "requests at the same time while rooms are made"],
});
useServer(asked.url);
const user = await new Population(asked.state).account(asked.rooms, asked);
const alice = await newUser("alice"), bob = await newUser("bob");
const roomId = await newRoom(alice, { preset: "public_chat" });
await join(bob, roomId);
let since = (await sync(bob)).json().next_batch;

/** How long it takes until what alice says is in the answer to bob's long poll. */
async function deliver(n) {
  return (await timed(async () => {
    const text = `message ${n}`, waiting = [];
    waiting.push(say(alice, roomId, text));
    for (;;) {
      const answer = (await sync(bob, { since, timeout: 10_000 })).json();
      since = answer.next_batch;
      if (answer.rooms?.join?.[roomId]?.timeline.events.some(e => e.content.body === text)) break;
    }
    await Promise.all(waiting);
  })).ms;
}

async function measure(phase, clients) {
  const before = usage(asked.pids), begun = performance.now(), taken = [];
  for (let n = 0; performance.now() - begun < asked.seconds * 1000; n++) {
    taken.push(await deliver(`${phase} ${n}`));
    await pause(20);
  }
  const after = usage(asked.pids);
  result(asked, "slow-client", {
    phase, clients, read_kb: Math.round(read / 1000), open: sockets.filter(s => !s.destroyed).length,
    ...times(taken), ...cpu(before, after, taken.length), ...memory(after),
  });
}

const sockets = [];
let read = 0;
/** Reads so many bytes a second and leaves the rest where it is. */
function open() {
  const { hostname, port } = new URL(serverUrl());
  const socket = net.connect({ host: hostname, port: Number(port || 80), readableHighWaterMark: asked.bytes });
  socket.on("error", error => progress(`a slow client: ${error.message}`));
  socket.write(`GET ${syncPath({ filter: { room: { timeline: { limit: 20 } } } })} HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: Bearer ${user.token}\r\n\r\n`);
  const timer = setInterval(() => {
    const chunk = socket.read(asked.bytes) ?? socket.read();
    if (chunk) read += chunk.length;
  }, 1000);
  socket.on("close", () => clearInterval(timer));
  sockets.push(socket);
}

await sync(user, { filter: { room: { timeline: { limit: 20 } } } });
const { bytes } = await sync(user, { filter: { room: { timeline: { limit: 20 } } } });
progress(`the answer has ${Math.round(bytes / 1000)} kB`);
await measure("before", 0);
for (let i = 0; i < asked.clients; i++) open();
await pause(3000);
await measure("during", asked.clients);
for (const socket of sockets) socket.destroy();
await pause(2000);
await measure("after", 0);
process.exit(0);
