using Matrix.Storage.Relations;
using Matrix.Storage.Sync;
using Matrix.Testing.Servers;

namespace Matrix.StorageTests.Sync;

/// <summary>What sync reads is found by an index, whatever the size of the tables.</summary>
public class SyncPlanTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>
{
    public static TheoryData<string, string> Hot { get; } = new()
    {
        { "memberships", SyncReader.SqlMemberships },
        { "account data", SyncReader.SqlAccountData },
        { "some account data", SyncReader.SqlAccountDataOf },
        { "to-device ranges", SyncReader.SqlToDeviceRanges },
        { "to-device", SyncReader.SqlToDevice },
        { "acknowledge", SyncReader.SqlDeleteToDevice },
        { "own receipts", SyncReader.SqlOwnReceipts },
        { "implied receipts", SyncReader.SqlImplied },
        { "receipts", SyncReader.SqlReceipts },
        { "activity", SyncReader.SqlActivity },
        { "latest events", SyncReader.SqlLatest },
        { "timelines", SyncReader.SqlTimelines },
        { "related", RelationReader.SqlRelated },
        { "thread news", RelationReader.SqlThreadNews },
        { "state", SyncReader.SqlState },
        { "members", SyncReader.SqlMembers },
        { "snapshots", SyncReader.SqlSnapshotsAt },
        { "membership history", SyncReader.SqlMembershipHistory },
        { "changed account data", SyncReader.SqlChangedKeys },
        { "device lists", SyncReader.SqlDeviceListChanges },
        { "contacts", SyncReader.SqlContacts },
        { "sharing", SyncReader.SqlSharing },
        { "joined rooms", SyncReader.SqlJoinedRooms },
        { "member turns", SyncReader.SqlMemberTurns },
        { "memberships of events", SyncReader.SqlMembershipsOf },
        { "forgotten", SyncReader.SqlForgotten },
    };

    [Theory]
    [MemberData(nameof(Hot))]
    public Task No_table_is_read_from_end_to_end(string name, string sql) => postgres.AssertIndexedAsync(name, sql);
}
