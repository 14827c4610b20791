-- oldest compatible version: 1
-- Indexes that ClientApi's reads rely on.
create index rooms_published on rooms (room_nid) where is_public;
create index uia_sessions_by_age on uia_sessions (created_ts_ms);
create index registration_nonces_by_age on registration_nonces (created_ts_ms);
