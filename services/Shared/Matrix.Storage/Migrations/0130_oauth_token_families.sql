-- Refresh tokens say which session they are of, so that one that was forgotten long ago is still known for a used one.
-- oldest compatible version: 1
alter table oauth_sessions add column family_hash bytea; -- SHA-256 of what all refresh tokens of the session have in common; null: begun before this column
create unique index oauth_sessions_by_family on oauth_sessions (family_hash);
