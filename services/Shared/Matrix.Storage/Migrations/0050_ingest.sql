-- Events from other servers: parents that are missing, state that moved because forks were resolved, positions of the past.
-- oldest compatible version: 1

-- Parents that this server lacks: rows go when the parent arrives as a full event. Where backfill goes on, and where a late event has children already.
create table missing_parents (
    room_nid bigint not null,
    missing_id text not null,           -- event id of the parent
    child_nid bigint not null,
    primary key (missing_id, child_nid)
);
create index missing_parents_by_room on missing_parents (room_nid);

-- Current state that changed with an event at keys other than its own (EventFlags 32), for readers of stream events.
create table state_moves (
    event_nid bigint not null,          -- the event with which it changed
    state_key_nid bigint not null,
    before_nid bigint not null,         -- 0: the state had no event there
    now_nid bigint not null,            -- 0: it has none any more
    primary key (event_nid, state_key_nid)
);

-- Positions in stream events of history that was backfilled: negative, falling. They need no order of commit and may have gaps.
create sequence past_positions increment by -1 start with -1;
