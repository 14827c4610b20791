// From the description of a homeserver in the launcher contract to a homeserver.yaml (JSON is YAML) and a signing key.
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";

const [source, target] = process.argv.slice(2);
const wanted = JSON.parse(readFileSync(source, "utf8"));
const { registration = {}, federation = {}, outbound = {}, options = {}, tls = {} } = wanted;

if (!existsSync(wanted.signing_key_path)) {
  const seed = randomBytes(32).toString("base64").replace(/=+$/, "");
  writeFileSync(wanted.signing_key_path, `ed25519 a_${randomBytes(2).toString("hex")} ${seed}\n`, { mode: 0o600 });
}

const config = {
  server_name: wanted.server_name,
  public_baseurl: wanted.public_baseurl,
  listeners: [{
    port: wanted.ports.tls, type: "http", tls: true, x_forwarded: false,
    bind_addresses: [wanted.bind_host === "localhost" ? "127.0.0.1" : wanted.bind_host],
    resources: [{ names: ["client", "federation"] }],
  }],
  tls_certificate_path: tls.certificate,
  tls_private_key_path: tls.private_key,
  signing_key_path: wanted.signing_key_path,
  media_store_path: wanted.media_dir,
  enable_registration: registration.enabled,
  enable_registration_without_verification: registration.without_verification,
  allow_guest_access: registration.allow_guest_access,
  registration_shared_secret: registration.shared_secret,
  macaroon_secret_key: wanted.macaroon_secret_key,
  worker_replication_secret: randomBytes(24).toString("hex"),
  federation_verify_certificates: federation.verify_certificates,
  federation_custom_ca_list: federation.custom_ca_list,
  ip_range_blacklist: federation.ip_range_blacklist ?? [],
  url_preview_ip_range_blacklist: outbound.ip_range_blacklist ?? [],
  trusted_key_servers: federation.trusted_key_servers ?? [],
  allow_public_rooms_over_federation: federation.allow_public_rooms_over_federation,
  allow_public_rooms_without_auth: options.allow_public_rooms_without_auth,
  default_room_version: options.default_room_version,
  require_membership_for_aliases: options.require_membership_for_aliases,
  enable_ephemeral_messages: options.enable_ephemeral_messages,
  url_preview_enabled: options.url_preview_enabled,
  room_list_publication_rules: options.room_list_publication === "allow" ? [{ action: "allow" }] : undefined,
  app_service_config_files: wanted.app_service_config_files ?? [],
  armada: {
    rate_limits_enabled: wanted.rate_limits?.enabled ?? true,
    password_hash_iterations: options.password_hash_cost === "minimal" ? 1 : undefined,
    outbound_verify_certificates: outbound.verify_certificates ?? true,
  },
};
if (wanted.smtp) config.email = { smtp_host: wanted.smtp.host, smtp_port: wanted.smtp.port, notif_from: "Armada <noreply@localhost>" };
if (wanted.recaptcha) {
  config.recaptcha_public_key = wanted.recaptcha.public_key;
  config.recaptcha_private_key = wanted.recaptcha.private_key;
  config.recaptcha_siteverify_api = wanted.recaptcha.siteverify_api;
}
if (wanted.cas) config.cas_config = { enabled: true, server_url: wanted.cas.server_url, service_url: wanted.public_baseurl };
if (process.env.ARMADA_DATABASE) {
  const { PGHOST, PGPORT, PGUSER, PGPASSWORD, ARMADA_DATABASE } = process.env;
  config.database = {
    name: "psycopg2",
    args: { host: PGHOST, port: Number(PGPORT), user: PGUSER, password: PGPASSWORD || undefined, database: ARMADA_DATABASE, cp_min: 1, cp_max: 10 },
  };
}
writeFileSync(target, JSON.stringify(config, null, 2) + "\n", { mode: 0o600 });
