using Matrix.Storage.Keys;
using Matrix.Testing.Servers;

namespace Matrix.StorageTests.Keys;

/// <summary>Questions about keys find their rows by an index, whatever the size of the tables.</summary>
public class KeyPlanTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>
{
    public static TheoryData<string, string> Hot { get; } = new()
    {
        { "upload", DeviceKeyStore.SqlUpload },
        { "check", DeviceKeyStore.SqlCheck },
        { "counts", DeviceKeyStore.SqlCounts },
        { "unused fallback", DeviceKeyStore.SqlUnusedFallback },
        { "claim", DeviceKeyStore.SqlClaim },
        { "devices", DeviceKeyStore.SqlDevices },
        { "cross-signing", DeviceKeyStore.SqlCrossSigning },
        { "master signatures", DeviceKeyStore.SqlMasterSignatures },
        { "drop dehydrated", DeviceKeyStore.SqlDropDehydrated },
        { "replace cross-signing", CrossSigningStore.SqlReplace },
        { "sign", CrossSigningStore.SqlSign },
        { "device ids", CrossSigningStore.SqlDeviceIds },
        { "find backup", KeyBackupStore.SqlFind },
        { "put backup", KeyBackupStore.SqlPut },
        { "get backup", KeyBackupStore.SqlGet },
        { "delete backup", KeyBackupStore.SqlDeleteSessions },
        { "turned", ContactReader.SqlTurned },
        { "own turned", ContactReader.SqlOwnTurned },
        { "members", ContactReader.SqlMembers },
    };

    [Theory]
    [MemberData(nameof(Hot))]
    public Task No_table_is_read_from_end_to_end(string name, string sql) => postgres.AssertIndexedAsync(name, sql);
}
