using Npgsql;

namespace Matrix.Storage.Accounts;

/// <summary>The hashes (SHA-256) and lifetimes of the tokens of one session. Null times: without end.</summary>
/// <param name="RefreshHash">Null: the access token cannot be refreshed.</param>
/// <param name="SessionExpiresTsMs">When nothing more can be refreshed.</param>
public sealed record IssuedTokens(
    byte[] AccessHash, long? AccessExpiresTsMs = null, byte[]? RefreshHash = null, long? RefreshExpiresTsMs = null, long? SessionExpiresTsMs = null)
{
    /// <summary>Five parameters in the order of the record; all null for no tokens.</summary>
    internal static void Add(NpgsqlParameterCollection p, IssuedTokens? tokens)
    {
        p.Add(StoreParameters.Bytes(tokens?.AccessHash));
        p.Add(StoreParameters.BigInt(tokens?.AccessExpiresTsMs));
        p.Add(StoreParameters.Bytes(tokens?.RefreshHash));
        p.Add(StoreParameters.BigInt(tokens?.RefreshExpiresTsMs));
        p.Add(StoreParameters.BigInt(tokens?.SessionExpiresTsMs));
    }
}
