-- Redacting what a user has sent: asked for by the admin API, done by Background.
-- oldest compatible version: 1
create table redaction_jobs (
    redact_id text primary key,
    user_id text not null,              -- whose events
    sender text not null,               -- who redacts: he himself, if he is of this server
    room_ids text[] not null,           -- still to be done, first one first
    reason text,
    max_events int not null,            -- newest ones of each room
    created_ts_ms bigint not null,
    claimed_until_ms bigint not null default 0,     -- somebody works on it until then
    redacted bigint not null default 0,
    failed_ids text[] not null default '{}',        -- events that could not be redacted, with the reason at the same place of failures
    failures text[] not null default '{}',
    finished_ts_ms bigint               -- null: not done yet
);
create index redaction_jobs_open on redaction_jobs (created_ts_ms) where finished_ts_ms is null;
