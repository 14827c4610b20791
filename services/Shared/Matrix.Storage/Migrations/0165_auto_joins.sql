-- New accounts are joined to the rooms of auto_join_rooms.
-- oldest compatible version: 1
create table auto_joins (                       -- accounts that have rooms to be joined to; written with the account, removed by ClientApi when that is done
    user_id text primary key,
    is_first boolean not null,                  -- the first real user of this server: makes the rooms that are missing
    next_try_ts_ms bigint,                      -- null: not before the user has agreed to the policy
    tries int not null default 0
);
create index auto_joins_due on auto_joins (next_try_ts_ms);
-- Whether there is a real user: no guest, no bot, none of an application service.
create index users_real on users (user_id) where not is_guest and appservice_id is null and coalesce(user_type not in ('bot', 'support'), true);
