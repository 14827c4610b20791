-- Rooms of server notices. Written by whoever sends one: ClientApi, Background.
-- oldest compatible version: 1
create table server_notice_rooms (
    user_id text primary key,           -- whose room it is
    room_id text not null,
    looks text not null,                -- names, topic and pictures when they were last set
    usage_event_id text,                -- pinned notice that the server is full; null: none is up
    consent_version text                -- version of the policy that the user was last asked to agree to; null: none
);
