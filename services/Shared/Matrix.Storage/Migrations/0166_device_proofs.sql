-- ui_auth.session_timeout: a proof counts for some time.
-- oldest compatible version: 1
alter table devices add column proved_ts_ms bigint;     -- when its user last proved, with it, who he is; null: never, or it was not kept
