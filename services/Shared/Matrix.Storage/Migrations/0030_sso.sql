-- Single sign-on and the OAuth 2.0 API. Secrets are stored as SHA-256. Times are milliseconds since the epoch. Written by ClientApi.
-- oldest compatible version: 1

-- Tokens of m.login.token: each is taken once. Short-lived.
create table login_tokens (
    token_hash bytea primary key,
    user_id text not null,
    expires_ts_ms bigint not null,
    auth_provider text,                 -- who proved the user, such as oidc-github; null: a session of his own
    auth_provider_session text          -- name of the session there (OpenID Connect: sid); null: it has none
);
create index login_tokens_by_expiry on login_tokens (expires_ts_ms);

-- Devices that came in through a provider: a logout there ends them here.
create table sso_devices (
    user_id text not null,
    device_id text not null,
    auth_provider text not null,
    auth_provider_session text not null,
    primary key (user_id, device_id),
    foreign key (user_id, device_id) references devices on delete cascade
);
create index sso_devices_by_session on sso_devices (auth_provider, auth_provider_session);

-- Who a user is at a provider. Names of providers as Synapse has them: oidc-IDPID (oidc for the idp_id oidc), saml, cas.
create table user_external_ids (
    auth_provider text not null,
    external_id text not null,
    user_id text not null,
    primary key (auth_provider, external_id)
);
create index user_external_ids_by_user on user_external_ids (user_id);

-- Steps of a login that wait for a browser to come back, on whichever instance. Short-lived.
create table pending_steps (
    secret_hash bytea primary key,
    purpose text not null,              -- sso, registration, authorize, code
    expires_ts_ms bigint not null,
    used boolean not null default false, -- kept until it expires: a second use is an attack
    data bytea not null                 -- JSON
);
create index pending_steps_by_expiry on pending_steps (expires_ts_ms);

-- Browsers that are logged in to our own pages (login, consent, account management).
create table web_sessions (
    session_hash bytea primary key,
    user_id text not null,
    proved_ts_ms bigint not null,       -- when the user last proved himself
    expires_ts_ms bigint not null,
    password_tag bytea not null         -- SHA-256 of the password hash at that time: another password ends the session
);
create index web_sessions_by_user on web_sessions (user_id);
create index web_sessions_by_expiry on web_sessions (expires_ts_ms);

-- Clients of the OAuth 2.0 API. The id is a hash of the metadata: the same client has one id.
create table oauth_clients (
    client_id text primary key,
    metadata bytea not null,            -- JSON as answered at registration
    registered_ts_ms bigint not null    -- last time
);
create index oauth_clients_by_age on oauth_clients (registered_ts_ms);

-- Devices that came in through the OAuth 2.0 API. Gone with the device, and so are its refresh tokens.
create table oauth_sessions (
    user_id text not null,
    device_id text not null,
    client_id text not null references oauth_clients,
    scope text not null,
    created_ts_ms bigint not null,
    primary key (user_id, device_id),
    foreign key (user_id, device_id) references devices on delete cascade
);
create index oauth_sessions_by_client on oauth_sessions (client_id);
create table oauth_refresh_tokens (
    token_hash bytea primary key,
    user_id text not null,
    device_id text not null,
    access_token_hash bytea not null,   -- issued together with it
    parent_hash bytea,                  -- the refresh token that it came from; null: the first of the session
    superseded boolean not null default false, -- its answer was lost, the parent was used again
    created_ts_ms bigint not null,
    foreign key (user_id, device_id) references oauth_sessions on delete cascade
);
create index oauth_refresh_tokens_by_session on oauth_refresh_tokens (user_id, device_id);
create index oauth_refresh_tokens_by_parent on oauth_refresh_tokens (parent_hash);

-- Device authorization grant: a device waits here for its user.
create table oauth_device_codes (
    device_code_hash bytea primary key,
    user_code_hash bytea not null unique,
    client_id text not null references oauth_clients on delete cascade,
    scope text not null,
    expires_ts_ms bigint not null,
    polled_ts_ms bigint not null default 0,
    user_id text,                       -- who has agreed; null: nobody yet
    denied boolean not null default false
);
create index oauth_device_codes_by_expiry on oauth_device_codes (expires_ts_ms);
