-- Sessions of user-interactive authentication know in which order their stages come, and what the pages of stages have begun.
-- oldest compatible version: 1
alter table uia_sessions
    add column flows jsonb,                             -- [["stage", ...], ...] as the client was told; null: begun before this column, in any order
    add column kept jsonb not null default '{}';        -- by stage: what its page goes on with, such as the mail that was sent
