-- Events that relate to others by m.relates_to. Written with the row in event_stream; a redaction of the child removes it. Events that were
-- rejected or soft-failed have none.
-- oldest compatible version: 1
create table event_relations (
    event_nid bigint primary key,       -- the child
    room_nid bigint not null,
    parent_id text not null,            -- event id; may not be here, or be of another room
    rel_type text not null,
    pos bigint not null,                -- of the child in stream events
    type text not null,                 -- of the child
    sender text not null,
    key text,                           -- of an annotation; null: none
    can_replace boolean not null        -- the child has what a replacement needs
);
create index event_relations_by_parent on event_relations (room_nid, parent_id, rel_type, pos);
create index event_relations_threads on event_relations (room_nid, parent_id, pos) include (sender) where rel_type = 'm.thread';
