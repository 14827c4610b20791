using Matrix.Testing.Servers;

namespace Matrix.ServiceTests.Keys;

internal static class KeyStatements
{
    private static readonly string[] Tables = ["device_keys", "one_time_keys", "fallback_keys", "cross_signing_keys", "master_key_signatures", "key_backup", "to_device_messages", "from devices"];

    /// <summary>What is asked about keys and messages to devices.</summary>
    public static CountedStatements Count(string connectionString) => new(connectionString, text => text.ContainsAny(Tables));
}
