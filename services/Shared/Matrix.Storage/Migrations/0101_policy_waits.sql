-- Events of other servers that are soft-failed because the room's policy server gave no answer: it is asked again. Written by EventPersister.
-- oldest compatible version: 1
create table policy_waits (
    event_id text primary key,
    room_id text not null,
    origin text not null,               -- the server that it came from
    json bytea not null,                -- as it came, without the signature that is missing; those that it has are verified
    tries integer not null default 0,
    next_try_ts_ms bigint not null
);
create index policy_waits_by_time on policy_waits (next_try_ts_ms);
create index policy_waits_by_room on policy_waits (room_id);
