-- Events that are to be sent later (MSC4140). EventPersister writes, Background sends them.
-- oldest compatible version: 1
create table delayed_events (
    delay_id text primary key,
    user_id text not null,
    device_id text not null,            -- with txn_id: identity of the request that scheduled it
    txn_id text not null,
    room_id text not null,
    type text not null,
    state_key text,                     -- null: no state event
    content bytea not null,             -- JSON object
    origin_ts_ms bigint,                -- chosen by an application service; null: when it is sent
    delay_ms bigint not null,
    scheduled_ts_ms bigint not null,    -- scheduled, or restarted last
    send_ts_ms bigint not null,         -- scheduled_ts_ms + delay_ms
    claimed_until_ms bigint not null default 0, -- somebody is sending it until then
    finalised_ts_ms bigint,             -- null: still scheduled
    event_id text,                      -- sent as
    error bytea,                        -- standard error response of what kept it from being sent; null: none
    unique (user_id, device_id, room_id, txn_id)
);
create index delayed_events_due on delayed_events (send_ts_ms) where finalised_ts_ms is null;
create index delayed_events_by_user on delayed_events (user_id, send_ts_ms);
create index delayed_events_finalised on delayed_events (finalised_ts_ms) where finalised_ts_ms is not null;
