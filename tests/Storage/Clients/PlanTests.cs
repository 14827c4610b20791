using Matrix.Storage.AccountData;
using Matrix.Storage.Accounts;
using Matrix.Storage.Push;
using Matrix.Storage.Receipts;
using Matrix.Storage.RoomDirectory;
using Matrix.Storage.Rooms;
using Matrix.Storage.ToDevice;
using Matrix.Testing.Servers;

namespace Matrix.StorageTests.Clients;

/// <summary>What clients ask often finds its rows by an index, whatever the size of the tables.</summary>
public class PlanTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>
{
    public static TheoryData<string, string> Hot { get; } = new()
    {
        { "token", AccessTokenStore.SqlFind },
        { "register", AccountStore.SqlRegister },
        { "find for login", AccountStore.SqlFindForLogin },
        { "log in", AccountStore.SqlLogIn },
        { "delete devices", DeviceStore.SqlDelete },
        { "get account data", AccountDataStore.SqlGet },
        { "set account data", AccountDataStore.SqlSet },
        { "fully read", AccountDataStore.SqlSetFullyRead },
        { "filter", FilterStore.SqlGet },
        { "receipt", ReceiptStore.SqlSet },
        { "read notifications", NotificationReader.SqlReceipts },
        { "read rooms", PusherStore.SqlRead },
        { "send to device", ToDeviceStore.SqlSend },
        { "joined rooms", MembershipStore.SqlJoinedRooms },
        { "share a room", MembershipStore.SqlShareRoom },
        { "alias", RoomDirectoryStore.SqlAlias },
        { "published rooms", RoomDirectoryStore.SqlPublishedAfter },
        { "uia session", UiaSessionStore.SqlCreate },
        { "guest upgrade", AccountStore.SqlUpgradeGuest },
    };

    [Theory]
    [MemberData(nameof(Hot))]
    public Task No_table_is_read_from_end_to_end(string name, string sql) => postgres.AssertIndexedAsync(name, sql);
}
