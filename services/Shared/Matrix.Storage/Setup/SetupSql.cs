namespace Matrix.Storage.Setup;

internal static class SetupSql
{
    public const string ReadVersion = "select version, oldest_compatible_version from schema_version order by version desc limit 1";

    public const string ReadApplied = "select version from schema_version";

    public const string Locale =
        """
        select pg_encoding_to_char(encoding), datcollate::text, datctype::text, current_setting('synchronous_commit'), quote_ident(datname)
        from pg_database where datname = current_database()
        """;

    /// <summary>$1: names of all persistent streams. Name, counter and the highest position held anywhere, of counters that are missing or behind.</summary>
    public const string CountersBehind =
        """
        select s.stream, c.pos, h.pos
        from unnest($1::text[]) as s (stream)
        left join stream_counters c on c.stream = s.stream
        cross join lateral (
            select max(pos) as pos from (
                select max(r.pos) as pos from stream_rows r where r.stream = s.stream
                union all select max(t.min_pos) from stream_retained t where t.stream = s.stream
                union all select max(u.pos) from stream_cursors u where u.stream = s.stream
                union all select max(e.pos) from event_stream e where s.stream = 'events'
                union all select max(p.pos) from receipts p where s.stream = 'receipts'
                union all select max(d.pos) from to_device_messages d where s.stream = 'to_device'
            ) as held
        ) as h
        where c.pos is null or c.pos < h.pos
        order by s.stream
        """;

    /// <summary>
    /// Sequence, table, column, last number given out and highest number held, of sequences that would give out a number that is taken. A sequence with
    /// an increment of n gives out blocks of n.
    /// </summary>
    public const string SequencesBehind =
        """
        with owned (sequence, tab, col) as (
            select pg_get_serial_sequence(quote_ident(c.table_name), c.column_name), c.table_name::text, c.column_name::text
            from information_schema.columns c where c.table_schema = current_schema() and c.is_identity = 'YES'
            union all values ('event_nids', 'events', 'event_nid'), ('snapshot_nids', 'state_snapshots', 'snapshot_nid')
        ), held as (
            select o.*, s.seqincrement as step, pg_sequence_last_value(s.seqrelid) as given,
                (xpath('/row/m/text()', query_to_xml(format('select max(%I) as m from %I', o.col, o.tab), false, true, '')))[1]::text::bigint as highest
            from owned o join pg_sequence s on s.seqrelid = o.sequence::regclass
        )
        select sequence, tab, col, given, highest from held
        where highest > 0 and (given is null or highest > given + step - 1)
        order by sequence
        """;
}
