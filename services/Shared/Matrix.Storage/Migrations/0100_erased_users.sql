-- Who has asked to be forgotten. Read by every process that shows events, when it starts.
-- oldest compatible version: 1
create index users_erased on users (user_id) where erased;
