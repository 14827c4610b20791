// Clients that sync with the library's sliding sync.
import { baseUrl, sdk, until } from "./client.mjs";
import { SlidingSync } from "matrix-js-sdk/lib/sliding-sync.js";

/** Another device of that user, with one list of all rooms down to an index. */
export async function newSlidingClient(client, { to = 19, timelineLimit = 10 } = {}) {
  const { password } = client.session;
  const session = await sdk.createClient({ baseUrl })
    .loginRequest({ type: "m.login.password", identifier: { type: "m.id.user", user: client.getUserId() }, password });
  const phone = sdk.createClient({
    baseUrl, userId: session.user_id, deviceId: session.device_id, accessToken: session.access_token, timelineSupport: true,
  });
  const config = { timeline_limit: timelineLimit, required_state: [["*", "*"]] };
  const lists = new Map([["all", { ranges: [[0, to]], ...config }]]);
  phone.sliding = new SlidingSync(baseUrl, lists, config, phone, 20_000);
  phone.session = { ...session, password };
  const ready = until(phone, sdk.ClientEvent.Sync, () => phone.isInitialSyncComplete(), `first sliding sync of ${session.user_id}`);
  await phone.startClient({ slidingSync: phone.sliding });
  await ready;
  started.push(phone);
  return phone;
}

const started = [];
process.on("beforeExit", () => started.forEach(phone => phone.stopClient()));

export const untilRooms = (client, roomIds) => until(
  client, [sdk.ClientEvent.Room, sdk.RoomEvent.Name, sdk.RoomEvent.MyMembership, sdk.ClientEvent.Sync],
  () => roomIds.every(id => client.getRoom(id)?.getMyMembership() === "join"), `rooms ${roomIds.join(" ")}`);
