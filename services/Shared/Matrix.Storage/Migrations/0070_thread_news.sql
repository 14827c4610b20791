-- Threads with news since a position, in some rooms. MSC4360
-- oldest compatible version: 1
create index event_relations_thread_news on event_relations (room_nid, pos) include (parent_id, sender) where rel_type = 'm.thread';
