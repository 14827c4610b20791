-- Renewal of accounts that end (account_validity). Written by ClientApi.
-- oldest compatible version: 1
alter table users add column renewal_mailed_for_ts_ms bigint;   -- the end of the account that its user was asked about by mail; null: he was not
create index users_by_expiry on users (expires_ts_ms) where expires_ts_ms is not null and not deactivated;
create table account_renewals (                 -- links in mails
    token_hash bytea primary key,               -- SHA-256 of the token
    user_id text not null,
    created_ts_ms bigint not null,
    used_ts_ms bigint                           -- null: not yet
);
create index account_renewals_by_user on account_renewals (user_id);
