-- Events of transactions of other servers, kept before the transaction is acknowledged; they go when their room has judged them.
-- oldest compatible version: 1
create table inbound_pdus (
    inbound_nid bigint generated always as identity primary key,    -- order of arrival
    room_id text not null,
    event_id text not null,
    origin text not null,
    json bytea not null,                -- as it came; signatures verified
    received_ts_ms bigint not null,
    claimed_until_ts_ms bigint not null default 0,  -- an instance hands them to the room until then
    unique (room_id, event_id)
);
