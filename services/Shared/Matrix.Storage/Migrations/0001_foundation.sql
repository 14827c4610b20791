-- The first schema. Times are milliseconds since the epoch (suffix _ts_ms). Text compares by code point: the database has collation C.
-- Written by: the service named in each comment; anybody may read.

-- ---------------------------------------------------------------- streams and processes
-- One row a persistent stream. UPDATE ... RETURNING as the last statement of a transaction orders commits (docs/streams.md).
create table stream_counters (
    stream text primary key,
    pos bigint not null default 0
) with (fillfactor = 10);
insert into stream_counters (stream) values
    ('account_data'), ('appservice'), ('caches'), ('device_lists'), ('events'), ('federation'), ('push_rules'),
    ('pushers'), ('receipts'), ('to_device'), ('user_directory');

-- Slim rows of every persistent stream but events. Background prunes old ones; the least retained position of each stream follows.
create table stream_rows (
    stream text not null,
    pos bigint not null,
    ord smallint not null,              -- several rows may share a position
    key text not null,                  -- room id or user id, see Streams.cs
    payload bytea not null,
    primary key (stream, pos, ord)
);
create index stream_rows_by_key on stream_rows (stream, key, pos);
create table stream_retained (stream text primary key, min_pos bigint not null);   -- rows with pos > min_pos are all there

-- Positions that followers save: FederationSender, AppServices, Push, UserDirectory, Background.
create table stream_cursors (
    reader text not null,               -- service and duty, such as push:events
    stream text not null,
    pos bigint not null,
    primary key (reader, stream)
);

-- Running instances; written by each instance about once a second, removed at shutdown. Dead when the heartbeat is old.
create table instances (
    name text primary key,
    service text not null,
    service_group text not null,
    address text not null,
    internal_address text not null,
    started_ts_ms bigint not null,
    heartbeat timestamptz not null
);

-- Leased duties (Background): who does it, until when. Leases give speed, never correctness.
create table leases (
    name text primary key,
    holder text not null,
    expires timestamptz not null
);

-- ---------------------------------------------------------------- accounts (ClientApi)
create table users (
    user_id text primary key,
    password_hash text,                 -- null: no password login
    created_ts_ms bigint not null,
    is_admin boolean not null default false,
    is_guest boolean not null default false,
    deactivated boolean not null default false,
    locked boolean not null default false,
    suspended boolean not null default false,
    shadow_banned boolean not null default false,
    erased boolean not null default false,
    appservice_id text,
    user_type text
);
create table devices (
    user_id text not null,
    device_id text not null,
    display_name text,
    created_ts_ms bigint not null,
    last_seen_ts_ms bigint,
    last_seen_ip text,
    primary key (user_id, device_id)
);
create table access_tokens (
    token_hash bytea primary key,       -- SHA-256 of the token
    user_id text not null,
    device_id text not null,
    created_ts_ms bigint not null,
    expires_ts_ms bigint                -- null: does not expire
);
create index access_tokens_by_device on access_tokens (user_id, device_id);
create table profiles (
    user_id text primary key,
    displayname text,
    avatar_url text,
    fields bytea                        -- further fields, a JSON object; null: none
);
create table account_data (
    user_id text not null,
    room_id text not null default '',   -- empty: global
    type text not null,
    content bytea not null,             -- JSON object as the client sent it; '{}' for a deleted one
    primary key (user_id, room_id, type)
);
create table filters (
    user_id text not null,
    filter_id bigint not null,
    filter_hash bytea not null,         -- SHA-256 of the canonical filter: the same filter has one id
    filter bytea not null,
    primary key (user_id, filter_id),
    unique (user_id, filter_hash)
);
create table registration_nonces (nonce text primary key, created_ts_ms bigint not null);
create index registration_nonces_by_age on registration_nonces (created_ts_ms);
create table uia_sessions (
    session_id text primary key,
    created_ts_ms bigint not null,
    completed text[] not null default '{}',
    request bytea,
    params bytea
);
create index uia_sessions_by_age on uia_sessions (created_ts_ms);

-- ---------------------------------------------------------------- to-device (ClientApi)
create table to_device_messages (
    user_id text not null,
    device_id text not null,
    pos bigint not null,                -- position in stream to_device
    ord int not null,
    sender text not null,
    type text not null,
    content bytea not null,
    primary key (user_id, device_id, pos, ord)
);
create table client_txns (              -- idempotency of PUTs other than events: to-device
    user_id text not null,
    device_id text not null,
    scope text not null,
    txn_id text not null,
    created_ts_ms bigint not null,
    primary key (user_id, device_id, scope, txn_id)
);

-- ---------------------------------------------------------------- rooms and events (EventPersister)
create table rooms (
    room_nid bigint generated by default as identity primary key,
    room_id text not null unique,
    version text not null,
    head bigint not null default 0,     -- compare-and-swap: every persisting transaction moves it
    created_ts_ms bigint not null,
    is_public boolean not null default false,   -- published in the room directory
    current_snapshot bigint             -- snapshot of the current state; null: none yet
);
create index rooms_published on rooms (room_nid) where is_public;
create table state_keys (
    state_key_nid bigint generated by default as identity primary key,
    type text not null,
    state_key text not null,
    unique (type, state_key)
);
create sequence event_nids increment by 1000;   -- each persister takes blocks of 1000
create table events (
    event_nid bigint primary key,
    event_id text not null unique,
    room_nid bigint not null,
    type text not null,
    state_key_nid bigint,               -- null: no state event
    sender text not null,
    depth bigint not null,
    origin_server_ts bigint not null,
    received_ts_ms bigint not null,
    flags smallint not null default 0,  -- EventFlags: 1 outlier, 2 rejected, 4 soft-failed, 8 redacted, 16 superseded
    snapshot_nid bigint,                -- state after the event; null for outliers
    replaces_nid bigint,                -- the state event that it replaced, by the state before it; null: none
    prev_nids bigint[] not null,
    auth_nids bigint[] not null,
    redacts text,                       -- event id that an accepted m.room.redaction redacts
    json bytea not null                 -- canonical PDU; after redaction the redacted form
);
create index events_by_room_ts on events (room_nid, origin_server_ts);
create index events_redacts on events (redacts) where redacts is not null;
-- Commit order. The slim stream rows of stream events; negative positions are history that was backfilled.
create table event_stream (
    pos bigint primary key,
    room_nid bigint not null,
    event_nid bigint not null unique
);
create index event_stream_by_room on event_stream (room_nid, pos);
create table forward_extremities (
    room_nid bigint not null,
    event_nid bigint not null,
    primary key (room_nid, event_nid)
);
-- A snapshot is a chain position and the difference to snapshot (number & (number - 1)) of the same chain: docs/state.md
create sequence snapshot_nids increment by 1000;
create table state_snapshots (
    snapshot_nid bigint primary key,
    room_nid bigint not null,
    chain bigint not null,              -- snapshot_nid of the first of the chain
    number int not null,                -- position in the chain, from 0
    delta bytea not null,               -- sorted varint pairs (state_key_nid, event_nid); event_nid 0 removes
    unique (chain, number)
);
create table current_state (
    room_nid bigint not null,
    state_key_nid bigint not null,
    event_nid bigint not null,
    primary key (room_nid, state_key_nid)
);
-- Membership of everybody in every room, by current state. Written in the transaction that moves current_state.
create table room_memberships (
    room_nid bigint not null,
    user_id text not null,
    membership text not null,           -- join, invite, leave, ban, knock
    event_nid bigint not null,
    pos bigint not null,                -- position in stream events of the membership event; 0: not in the stream
    sender text not null,
    forgotten boolean not null default false,
    primary key (room_nid, user_id)
);
create index room_memberships_by_user on room_memberships (user_id, membership, room_nid);
create table event_txns (               -- idempotency of sends; written with the event
    user_id text not null,
    device_id text not null,
    txn_id text not null,
    event_id text not null,
    room_id text not null,
    created_ts_ms bigint not null,
    primary key (user_id, device_id, room_id, txn_id)
);
create index event_txns_by_event on event_txns (event_id);
create table redactions (               -- whose content was removed by what
    event_id text not null,             -- the redacted one; may not have arrived yet
    redacted_by text not null,
    room_nid bigint not null,
    primary key (event_id, redacted_by)
);
create table room_aliases (
    alias text primary key,
    room_id text not null,
    creator text not null,
    created_ts_ms bigint not null
);
create index room_aliases_by_room on room_aliases (room_id);

-- ---------------------------------------------------------------- receipts, push, directory, media
create table receipts (                 -- ClientApi
    room_id text not null,
    user_id text not null,
    receipt_type text not null,         -- m.read, m.read.private
    thread_id text not null default '', -- empty: unthreaded
    event_id text not null,
    event_pos bigint,                   -- position in stream events of that event; null when unknown
    ts_ms bigint not null,
    pos bigint not null,                -- position in stream receipts
    primary key (room_id, user_id, receipt_type, thread_id)
);
create index receipts_by_room_pos on receipts (room_id, pos);
create table pushers (                  -- ClientApi writes, Push reads and saves its results
    user_id text not null,
    app_id text not null,
    pushkey text not null,
    kind text not null,
    app_display_name text not null,
    device_display_name text not null,
    profile_tag text,
    lang text not null,
    data bytea not null,
    device_id text,
    enabled boolean not null default true,
    created_ts_ms bigint not null,
    last_pos bigint not null,           -- position in stream events up to which was pushed
    failing_since_ts_ms bigint,
    primary key (app_id, pushkey, user_id)
);
create index pushers_by_user on pushers (user_id);
create table user_directory (           -- UserDirectory
    user_id text primary key,
    display_name text,
    avatar_url text,
    search tsvector not null
);
create index user_directory_search on user_directory using gin (search);
create table directory_public_rooms (   -- UserDirectory: rooms that anybody can join or read; their members are found by everybody
    room_nid bigint primary key
);
create table media (                    -- Media
    media_id text primary key,
    user_id text not null,
    content_type text not null,
    length bigint not null,
    sha256 bytea not null,
    upload_name text,
    created_ts_ms bigint not null,
    last_access_ts_ms bigint
);
create table server_keys (              -- keys of other servers
    server_name text not null,
    key_id text not null,
    public_key bytea not null,
    valid_until_ts_ms bigint not null,
    fetched_ts_ms bigint not null,
    primary key (server_name, key_id)
);
