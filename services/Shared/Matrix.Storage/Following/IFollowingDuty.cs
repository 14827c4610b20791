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
    /// <summary>This instance begins at a saved position. What the duty remembers of rows may be of an earlier time and is void.</summary>
    void Begin() { }
    /// <summary>False: the row means nothing to this duty, and is not given to it. Asked of every row, in order, without a query.</summary>
    bool Concerns(StreamDefinition stream, StreamRow row);
    /// <summary>
    /// Rows of one stream that concern it, ascending. What is written goes into the transaction that moves the saved position; it may be run again when that fails.
    /// </summary>
    Task ApplyAsync(NpgsqlTransaction tx, StreamDefinition stream, IReadOnlyList<StreamRow> rows, CancellationToken ct);
}
