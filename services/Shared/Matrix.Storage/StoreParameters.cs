using Npgsql;
using NpgsqlTypes;

namespace Matrix.Storage;

/// <summary>Parameters that may be null: PostgreSQL must be told their type.</summary>
internal static class StoreParameters
{
    public static NpgsqlParameter Text(string? value) => new() { Value = (object?)value ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text };
    public static NpgsqlParameter Bytes(byte[]? value) => new() { Value = (object?)value ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Bytea };
    public static NpgsqlParameter BigInt(long? value) => new() { Value = (object?)value ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Bigint };
}
