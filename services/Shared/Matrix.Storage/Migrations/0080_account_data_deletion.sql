-- Deleted account data (MSC3391). Written by ClientApi.
-- oldest compatible version: 1
alter table account_data add column deleted boolean not null default false;     -- content is then {}, which is how clients learn of it
