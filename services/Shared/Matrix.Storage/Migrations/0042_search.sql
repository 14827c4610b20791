-- What message search finds. Kept by Background, which follows stream events: a send costs nothing for it.
-- oldest compatible version: 1
create table search_index (
    event_nid bigint primary key,
    room_nid bigint not null,
    pos bigint not null,                -- in stream events
    sender text not null,
    kind smallint not null,             -- SearchKind: 1 content.body, 2 content.name, 3 content.topic
    words tsvector not null             -- made by SearchTokens, not by PostgreSQL's parsers
);
create index search_index_words on search_index using gin (words);
