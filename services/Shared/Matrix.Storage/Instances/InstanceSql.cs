namespace Matrix.Storage.Instances;

internal static class InstanceSql
{
    /// <summary>Channel of NOTIFY; the payload is the instance's name.</summary>
    public const string Channel = "armada_instances";

    /// <summary>
    /// One instance's row and heartbeat; the others are told when it is new, changed, or was thought dead. A heartbeat that is lost in a crash costs
    /// nothing, so it does not wait for the disk.
    /// </summary>
    public const string Heartbeat =
        """
        with quick as (
            select set_config('synchronous_commit', 'off', true)
        ), before as (
            select service, service_group, address, internal_address, started_ts_ms, heartbeat > clock_timestamp() - interval '13 seconds' as alive
            from instances where name = $1::text
        ), written as (
            insert into instances (name, service, service_group, address, internal_address, started_ts_ms, heartbeat)
            select $1::text, $2::text, $3::text, $4::text, $5::text, $6::bigint, clock_timestamp() from quick
            on conflict (name) do update set service = excluded.service, service_group = excluded.service_group, address = excluded.address,
                internal_address = excluded.internal_address, started_ts_ms = excluded.started_ts_ms, heartbeat = excluded.heartbeat
            returning name
        )
        select pg_notify('armada_instances', name) from written
        where not exists (
            select from before where alive and (service, service_group, address, internal_address, started_ts_ms) = ($2::text, $3::text, $4::text, $5::text, $6::bigint)
        )
        """;

    /// <summary>Alive by the clock of the database; the dead too, so that a list can tell "dead" from "gone".</summary>
    public const string List =
        """
        select name, service, service_group, address, internal_address, started_ts_ms, heartbeat > clock_timestamp() - interval '13 seconds'
        from instances order by name
        """;

    /// <summary>Only the row of this very process: a successor with the same name may have started already.</summary>
    public const string Remove =
        """
        with gone as (delete from instances where name = $1 and started_ts_ms = $2 returning name)
        select pg_notify('armada_instances', name) from gone
        """;

    public const string RemoveLongDead = "delete from instances where heartbeat < clock_timestamp() - interval '1 hour'";

    public const string TakeLease =
        """
        insert into leases (name, holder, expires) values ($1, $2, clock_timestamp() + $3::interval)
        on conflict (name) do update set holder = excluded.holder, expires = excluded.expires
        where leases.holder = excluded.holder or leases.expires <= clock_timestamp()
        """;

    public const string RenewLease =
        "update leases set expires = clock_timestamp() + $3::interval where name = $1 and holder = $2 and expires > clock_timestamp()";

    public const string ReleaseLease = "delete from leases where name = $1 and holder = $2";
}
