// Clients that sync with the library's sliding sync.
import { baseUrl, sdk, until } from "./client.mjs";
import { SlidingSync, SlidingSyncEvent } from "matrix-js-sdk/lib/sliding-sync.js";

/** A position of a connection that never was. */
export const unknownPosition = "s1_e1c999999v1";

/** Another device of that user, with one list of all rooms down to an index. With `crypto` (support/crypto.mjs) one that encrypts. */
export async function newSlidingClient(client, { to = 19, timelineLimit = 10, crypto } = {}) {
  const { password } = client.session;
  const session = await sdk.createClient({ baseUrl })
    .loginRequest({ type: "m.login.password", identifier: { type: "m.id.user", user: client.getUserId() }, password });
  let isLost = false;
  const ask = crypto?.clientOptions.fetchFn ?? fetch;
  const phone = sdk.createClient({
    baseUrl, userId: session.user_id, deviceId: session.device_id, accessToken: session.access_token, timelineSupport: true, ...crypto?.clientOptions,
    fetchFn: (url, options) => {
      const asked = new URL(url);
      if (isLost && asked.searchParams.has("pos")) {
        isLost = false;
        asked.searchParams.set("pos", unknownPosition);
      }
      return ask(asked, options);
    },
  });
  /** The next request comes with a position that the server does not know; resolves with how the library was told so. */
  phone.losePosition = () => {
    isLost = true;
    const { promise, resolve } = Promise.withResolvers();
    phone.sliding.on(SlidingSyncEvent.Lifecycle, (_, __, error) => { if (error?.httpStatus === 400) resolve(error); });
    phone.sliding.resend();
    return promise;
  };
  const config = { timeline_limit: timelineLimit, required_state: [["*", "*"]] };
  const lists = new Map([["all", { ranges: [[0, to]], ...config }]]);
  phone.sliding = new SlidingSync(baseUrl, lists, config, phone, 20_000);
  phone.session = { ...session, password };
  const ready = until(phone, sdk.ClientEvent.Sync, () => phone.isInitialSyncComplete(), `first sliding sync of ${session.user_id}`);
  await crypto?.prepare(phone);
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
