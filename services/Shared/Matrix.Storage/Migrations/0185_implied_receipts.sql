-- Whoever sends an event has read its thread up to it.
-- oldest compatible version: 1
create table implied_receipts (         -- EventPersister, with the event
    room_nid bigint not null,
    user_id text not null,              -- local
    thread_id text not null,            -- event id of the root, or main
    event_pos bigint not null,          -- position in stream events of the last event that he sent there
    primary key (room_nid, user_id, thread_id)
) with (fillfactor = 70);               -- no index has the position: rows are updated where they are
alter table event_stream add column read_root text;    -- of an event that reads (EventFlags): the root of its thread; null: the main timeline
