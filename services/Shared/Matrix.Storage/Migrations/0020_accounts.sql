-- Sessions with refresh tokens, registration tokens, addresses of accounts, states of accounts. Written by ClientApi unless said otherwise.
-- oldest compatible version: 1

-- ---------------------------------------------------------------- accounts
alter table users
    add column expires_ts_ms bigint,            -- account_validity: when it ends; null: never
    add column consent_version text,            -- of the policy that the user agreed to; null: to none
    add column consent_ts_ms bigint;
alter table devices add column last_seen_user_agent text;

-- ---------------------------------------------------------------- sessions
alter table access_tokens
    add column refresh_hash bytea,              -- refresh token that came with it; null: it cannot be refreshed
    add column used boolean not null default false;     -- kept for tokens with refresh_hash only: the first use ends the refresh token before
create index access_tokens_by_refresh on access_tokens (refresh_hash) where refresh_hash is not null;
create index access_tokens_by_expiry on access_tokens (expires_ts_ms) where expires_ts_ms is not null;
create table refresh_tokens (
    token_hash bytea primary key,               -- SHA-256 of the token
    user_id text not null,
    device_id text not null,
    created_ts_ms bigint not null,
    expires_ts_ms bigint,                       -- when it ends unless it is used; null: never
    session_expires_ts_ms bigint,               -- when all that comes from this login ends; null: never
    next_hash bytea                             -- what it was refreshed to; both work until the next one, or its access token, is used
);
create index refresh_tokens_by_device on refresh_tokens (user_id, device_id);
create index refresh_tokens_by_next on refresh_tokens (next_hash) where next_hash is not null;
create index refresh_tokens_by_expiry on refresh_tokens (expires_ts_ms) where expires_ts_ms is not null;

-- ---------------------------------------------------------------- registration
create table registration_tokens (
    token text primary key,                     -- readable: administrators hand it out again
    uses_allowed int,                           -- null: without limit
    pending int not null default 0,             -- registrations under way that have shown it
    completed int not null default 0,
    expiry_ts_ms bigint                         -- null: never
);
alter table uia_sessions
    add column results jsonb not null default '{}';     -- what stages found out, by stage: the address proved, the registration token shown
-- Registrations under way that have shown a registration token; the row goes when they end, and with it their part of pending.
create table registration_token_uses (
    session_id text primary key,
    token text not null references registration_tokens on delete cascade,
    created_ts_ms bigint not null
);
create index registration_token_uses_by_age on registration_token_uses (created_ts_ms);

-- ---------------------------------------------------------------- addresses
create table user_threepids (
    medium text not null,                       -- email, msisdn
    address text not null,                      -- in lower case; digits of a telephone number
    user_id text not null,
    validated_ts_ms bigint not null,
    added_ts_ms bigint not null,
    primary key (medium, address)               -- an address belongs to one account
);
create index user_threepids_by_user on user_threepids (user_id);
create table threepid_bindings (                -- what this server bound at identity servers
    user_id text not null,
    medium text not null,
    address text not null,
    id_server text not null,
    primary key (user_id, medium, address, id_server)
);
create table threepid_sessions (                -- proofs of an address by mail, under way or done
    session_id text primary key,
    medium text not null,
    address text not null,
    client_secret text not null,
    purpose text not null,                      -- add_threepid, registration, password_reset: a proof serves what it was begun for
    send_attempt bigint not null,               -- highest that was answered with a mail
    token_hashes bytea[] not null,              -- SHA-256 of the tokens in the mails that were sent
    next_link text,                             -- where the browser goes afterwards; null: a page of ours
    created_ts_ms bigint not null,
    expires_ts_ms bigint not null,
    validated_ts_ms bigint,                     -- null: not yet
    unique (client_secret, medium, address, purpose)
);
create index threepid_sessions_by_expiry on threepid_sessions (expires_ts_ms);

-- ---------------------------------------------------------------- administration
create table ratelimit_overrides (
    user_id text primary key,
    messages_per_second int not null,           -- 0 with burst_count 0: no limit
    burst_count int not null
);
create table deactivations (                    -- accounts that are closed and still have rooms to leave; Background removes the row when all are left
    user_id text primary key,
    erase boolean not null,
    started_ts_ms bigint not null,
    next_try_ts_ms bigint not null,
    tries int not null default 0
);
create index deactivations_due on deactivations (next_try_ts_ms);
