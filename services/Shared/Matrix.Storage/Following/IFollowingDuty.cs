using Matrix.Replication;
using Npgsql;

namespace Matrix.Storage.Following;

/// <summary>
/// Work that follows streams and must neither miss nor repeat a row: the user directory, an application service. One instance at a time does it.
/// </summary>
public interface IFollowingDuty
{
    /// <summary>Name of its saved positions and of its lease, such as <c>userdirectory</c>.</summary>
    string Reader { get; }
    IReadOnlyList<StreamDefinition> Streams { get; }
    /// <summary>True while this instance is the one that should do it; leases settle what instances disagree about.</summary>
    bool IsMine { get; }
    /// <summary>
    /// Before the first row, and when rows that it had not read yet were pruned: everything from the tables. What was written while this runs is
    /// given to <see cref="ApplyAsync"/> again.
    /// </summary>
    Task RebuildAsync(CancellationToken ct);
    /// <summary>
    /// Rows of one stream, ascending. What is written goes into the transaction that moves the saved position; it may be run again when that fails.
    /// </summary>
    Task ApplyAsync(NpgsqlTransaction tx, StreamDefinition stream, IReadOnlyList<StreamRow> rows, CancellationToken ct);
}
