-- oldest compatible version: 1
-- ---------------------------------------------------------------- end-to-end encryption (ClientApi)
-- Keys of a device go with the device, whichever way it goes (logout, new password, deactivation): the foreign keys see to it.

create table device_keys (
    user_id text not null,
    device_id text not null,
    keys bytea not null,                -- canonical JSON as the device uploaded it, signatures of its own included, no unsigned
    signed_hash bytea not null,         -- SHA-256 of what is signed: keys without signatures; later signatures are for exactly this
    primary key (user_id, device_id),
    foreign key (user_id, device_id) references devices on delete cascade
);
create table device_key_signatures (    -- by the self-signing key of the same user
    user_id text not null,
    device_id text not null,
    signer_key_id text not null,        -- 'ed25519:' and the public key
    signature text not null,
    signed_hash bytea not null,         -- valid while it is that of the device's keys
    primary key (user_id, device_id, signer_key_id),
    foreign key (user_id, device_id) references devices on delete cascade
);
create table one_time_keys (
    user_id text not null,
    device_id text not null,
    algorithm text not null,
    key_id text not null,
    key bytea not null,                 -- canonical JSON: a string or an object
    added bigint generated always as identity,   -- the order in which they are given out
    claimed_ts_ms bigint,               -- given away then: kept a while, so that a repeated upload does not bring it back; null: to be had
    primary key (user_id, device_id, algorithm, key_id),
    foreign key (user_id, device_id) references devices on delete cascade
);
create index one_time_keys_to_be_had on one_time_keys (user_id, device_id, algorithm, added) where claimed_ts_ms is null;
create table fallback_keys (
    user_id text not null,
    device_id text not null,
    algorithm text not null,
    key_id text not null,
    key bytea not null,
    used boolean not null default false,
    primary key (user_id, device_id, algorithm),
    foreign key (user_id, device_id) references devices on delete cascade
);

create table cross_signing_keys (
    user_id text not null,
    usage text not null check (usage in ('master', 'self_signing', 'user_signing')),
    public_key text not null,           -- unpadded base64, as in the key's name
    keys bytea not null,                -- canonical JSON as uploaded, no unsigned
    primary key (user_id, usage)
);
create table master_key_signatures (    -- of a user's own devices on his master key, and of his user-signing key on those of others
    signer_user_id text not null,
    target_user_id text not null,       -- also users of other servers
    target_key text not null,           -- public key of the master key that was signed; valid while it is the one in use
    signer_key_id text not null,
    signature text not null,
    primary key (target_user_id, signer_user_id, target_key, signer_key_id)
);

create table key_backups (
    user_id text not null,
    version bigint not null,            -- 1, 2, ...: never used again, also when deleted
    algorithm text not null,
    auth_data bytea not null,           -- JSON as uploaded
    etag bigint not null default 0,     -- moves with every change of the keys
    key_count bigint not null default 0,
    deleted boolean not null default false,
    primary key (user_id, version)
);
create table key_backup_sessions (
    user_id text not null,
    version bigint not null,
    room_id text not null,
    session_id text not null,
    first_message_index bigint not null,
    forwarded_count bigint not null,
    is_verified boolean not null,
    session_data bytea not null,        -- JSON as uploaded
    primary key (user_id, version, room_id, session_id),
    foreign key (user_id, version) references key_backups on delete cascade
);

create table dehydrated_devices (       -- MSC3814: at most one a user; it is a device like any other, without tokens
    user_id text primary key,
    device_id text not null,
    device_data bytea not null,         -- JSON as uploaded
    foreign key (user_id, device_id) references devices on delete cascade
);
