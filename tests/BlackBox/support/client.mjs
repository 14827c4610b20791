// Clients of the homeserver at ARMADA_URL.
import "./compat.mjs";
import "./specification.mjs";
import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import * as sdk from "matrix-js-sdk";

export { sdk, pause };
export const baseUrl = process.env.ARMADA_URL ?? "http://127.0.0.1:8008";
const started = new Set();

/** A name that no other run has. */
export const unique = prefix => `${prefix}-${randomBytes(5).toString("hex")}`;

/** Registers a user, logs in as a client does, and begins to sync. */
export async function newUser(prefix, options = {}) {
  const username = unique(prefix);
  const password = unique("secret");
  const guest = sdk.createClient({ baseUrl });
  const registered = await guest.registerRequest({ username, password, auth: { type: "m.login.dummy" } });
  const session = await guest.loginRequest({ type: "m.login.password", identifier: { type: "m.id.user", user: username }, password });
  if (session.user_id !== registered.user_id) throw new Error(`registered ${registered.user_id}, logged in as ${session.user_id}`);
  return await newClient({ ...session, password }, options);
}

/** With `crypto` (support/crypto.mjs) a client that encrypts. */
export async function newClient(session, { initialSyncLimit = 50, timelineLimit, crypto } = {}) {
  // The limit of the first sync is not that of the later ones; what is beyond a limit has to be paged for.
  const filter = timelineLimit ? new sdk.Filter(session.user_id) : undefined;
  filter?.setTimelineLimit(timelineLimit);
  const client = sdk.createClient({
    baseUrl, userId: session.user_id, deviceId: session.device_id, accessToken: session.access_token, timelineSupport: true,
    ...crypto?.clientOptions,
  });
  client.session = session;
  started.add(client);
  const ready = until(client, sdk.ClientEvent.Sync, () => client.isInitialSyncComplete(), `first sync of ${session.user_id}`);
  await crypto?.prepare(client);
  await client.startClient({ initialSyncLimit, lazyLoadMembers: true, filter });
  await ready;
  return client;
}

/** As clients do that are told to be slower. */
async function patiently(request) {
  while (true) {
    try {
      return await request();
    } catch (error) {
      if (error.errcode !== "M_LIMIT_EXCEEDED") throw error;
      await pause(error.data.retry_after_ms);
    }
  }
}

/** Another device of the same user. */
export async function logInAgain(client, options) {
  const { password } = client.session;
  const logIn = () => sdk.createClient({ baseUrl })
    .loginRequest({ type: "m.login.password", identifier: { type: "m.id.user", user: client.getUserId() }, password });
  const session = await patiently(logIn);
  return await newClient({ ...session, password }, options);
}

/** Resolves with what the condition gives, as soon as that is something; the condition is looked at with every one of the events. */
export function until(client, events, condition, what, timeoutMs = 60_000) {
  return new Promise((resolve, reject) => {
    const names = [events].flat();
    const timer = setTimeout(() => finish(() => reject(new Error(`waited too long for: ${what}`))), timeoutMs);
    const finish = how => {
      clearTimeout(timer);
      for (const name of names) client.off(name, look);
      how();
    };
    function look() {
      let found;
      try {
        found = condition();
      } catch (error) {
        return finish(() => reject(error));
      }
      if (found) finish(() => resolve(found));
    }
    for (const name of names) client.on(name, look);
    look();
  });
}

export const messagesOf = room =>
  room.getLiveTimeline().getEvents().filter(e => e.getType() === "m.room.message" && !e.status);

export const untilMessage = (client, roomId, eventId, what) => until(
  client, [sdk.RoomEvent.Timeline, sdk.RoomEvent.LocalEchoUpdated, sdk.RoomEvent.TimelineReset],
  () => client.getRoom(roomId)?.findEventById(eventId), what ?? `${client.getUserId()} gets ${eventId}`);

export const untilMembership = (client, roomId, membership) => until(
  client, [sdk.RoomEvent.MyMembership, sdk.ClientEvent.Room],
  () => client.getRoom(roomId)?.getMyMembership() === membership && client.getRoom(roomId), `${client.getUserId()}: ${membership}`);

/** Until the client knows that membership of somebody else. */
export const untilMember = (client, roomId, userId, membership) => until(
  client, [sdk.RoomStateEvent.Members, sdk.ClientEvent.Room, sdk.ClientEvent.Sync],
  () => client.getRoom(roomId)?.getMember(userId)?.membership === membership, `${client.getUserId()} knows of ${userId}: ${membership}`);

export function stopAll() {
  for (const client of started) client.stopClient();
  started.clear();
}

/** The room's messages as the server tells them to that user, oldest first, each page a request. */
export async function history(client, roomId) {
  const found = [];
  let from;
  do {
    const page = await client.createMessagesRequest(roomId, from ?? null, 100, sdk.Direction.Backward);
    found.push(...page.chunk);
    from = page.end;
  } while (from);
  return found.reverse();
}
