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
