// Clients that encrypt, with the crypto that real ones use.
import { CryptoEvent, VerificationPhase, VerificationRequestEvent, VerifierEvent } from "matrix-js-sdk/lib/crypto-api/index.js";
import { baseUrl, newUser, logInAgain, sdk, until } from "./client.mjs";
import { newSlidingClient } from "./sliding.mjs";

export { CryptoEvent };
export const megolm = "m.megolm.v1.aes-sha2";

/** What a client needs to encrypt. `secret` holds the key of the user's secret storage: what a person would type on a new device. */
function encryption(secret) {
  const sent = [], claimed = [];
  const gate = { open: Promise.resolve() };
  const clientOptions = {
    // Notes what the client sends to devices, { user: { device: content } } of each request, and the keys that it gets for it.
    fetchFn: async (url, options) => {
      const path = String(url);
      if (path.includes("/sendToDevice/m.room.encrypted/")) sent.push(JSON.parse(options.body).messages);
      if (path.includes("/sync?")) await gate.open;
      const response = await fetch(url, options);
      if (path.includes("/keys/claim")) claimed.push((await response.clone().json()).one_time_keys);
      return response;
    },
    cryptoCallbacks: {
      getSecretStorageKey: async ({ keys }) => secret.key && keys[secret.id] ? [secret.id, secret.key] : null,
      cacheSecretStorageKey: (id, _info, key) => Object.assign(secret, { id, key }),
    },
  };
  return { secret, sent, claimed, gate, clientOptions, prepare: client => client.initRustCrypto({ useIndexedDB: false }) };
}

const remember = (client, crypto) => Object.assign(client, {
  secret: crypto.secret, sentToDevices: crypto.sent, claimedKeys: crypto.claimed,
  /** Lets no further sync begin, until the function that it gives is called. */
  pauseSync() {
    const { promise, resolve } = Promise.withResolvers();
    crypto.gate.open = promise;
    return resolve;
  },
});

export async function newCryptoUser(prefix) {
  const crypto = encryption({});
  return remember(await newUser(prefix, { crypto }), crypto);
}

/** Another device of the same user; `knowing` the secret that opens the user's secret storage, or not. */
export async function anotherDevice(client, { knowing = true } = {}) {
  const crypto = encryption(knowing ? client.secret : {});
  return remember(await logInAgain(client, { crypto }), crypto);
}

/** Another device of the same user, which uses sliding sync. */
export async function anotherSlidingDevice(client) {
  const crypto = encryption({});
  return remember(await newSlidingClient(client, { crypto }), crypto);
}

/** Cross-signing, secret storage and key backup, as a client sets them up for a new user. */
export async function setUpIdentity(client) {
  const crypto = client.getCrypto();
  await crypto.bootstrapCrossSigning({ authUploadDeviceSigningKeys: request => request(null) });
  await crypto.bootstrapSecretStorage({
    createSecretStorageKey: () => crypto.createRecoveryKeyFromPassphrase(), setupNewSecretStorage: true, setupNewKeyBackup: true,
  });
}

export const encryptedRoom = async (client, invite = []) => (await client.createRoom({
  preset: "private_chat", invite, initial_state: [{ type: "m.room.encryption", state_key: "", content: { algorithm: megolm } }],
})).room_id;

/** Waits for a message that can be read. */
export const untilReadable = (client, roomId, eventId) => until(
  client, [sdk.RoomEvent.Timeline, sdk.RoomEvent.LocalEchoUpdated, sdk.MatrixEventEvent.Decrypted, sdk.RoomEvent.TimelineReset],
  () => {
    const event = client.getRoom(roomId)?.findEventById(eventId);
    return event && event.getType() === "m.room.message" && !event.isDecryptionFailure() && event;
  }, `${client.getUserId()} ${client.getDeviceId()} reads ${eventId}`);

/** Asks until the answer is something: for what no event tells. */
export async function eventually(ask, what, timeoutMs = 60_000) {
  const end = Date.now() + timeoutMs;
  while (true) {
    const found = await ask();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited too long for: ${what}`);
    await new Promise(resolve => setTimeout(resolve, 100));
  }
}

const phase = (request, wanted) => until(request, VerificationRequestEvent.Change, () => {
  if (request.phase === VerificationPhase.Cancelled) throw new Error(`cancelled: ${request.cancellationCode}`);
  return request.phase >= wanted;
}, `phase ${wanted} of the verification`);

function inTime(promise, what, timeoutMs = 60_000) {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`waited too long for: ${what}`)), timeoutMs); });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Two clients compare emoji. `ask` makes the request with the first one; the second one gets it. */
export async function verifyBySas(one, two, ask) {
  const asked = new Promise(resolve => two.once(CryptoEvent.VerificationRequestReceived, resolve));
  const request = await ask();
  const other = await inTime(asked, "the request arrives");
  await other.accept();
  await phase(request, VerificationPhase.Ready);
  const verifier = await request.startVerification("m.sas.v1");
  await phase(other, VerificationPhase.Started);
  const sides = [verifier, other.verifier].map(side => {
    const shown = side.getShowSasCallbacks() ?? new Promise(resolve => side.once(VerifierEvent.ShowSas, resolve));
    return { done: side.verify(), shown };
  });
  const [mine, theirs] = await inTime(Promise.all(sides.map(side => side.shown)), "both show emoji");
  const emoji = sas => sas.sas.emoji.map(([picture]) => picture).join(" ");
  if (emoji(mine) !== emoji(theirs)) throw new Error(`different emoji: ${emoji(mine)} and ${emoji(theirs)}`);
  await inTime(Promise.all([mine.confirm(), theirs.confirm()]), "both confirm");
  await Promise.all([phase(request, VerificationPhase.Done), phase(other, VerificationPhase.Done)]);
  await inTime(Promise.all(sides.map(side => side.done)), "both are done");
}

/** The server's answer to that user. */
export async function ask(client, method, path, body) {
  const response = await fetch(`${baseUrl}/_matrix/client/v3/${path}`, {
    method, headers: { authorization: `Bearer ${client.getAccessToken()}` }, body: body && JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return await response.json();
}

export const askKeys = (client, path, body) => ask(client, "POST", `keys/${path}`, body);
