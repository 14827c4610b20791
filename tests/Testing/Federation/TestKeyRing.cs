using Matrix.FederationClient.Keys;

namespace Matrix.Testing.Federation;

/// <summary>Keys of servers under test, which follow from their names.</summary>
public sealed class TestKeyRing : IKeyRing
{
    public ValueTask<byte[]?> FindAsync(string server, string keyId, long atMs, CancellationToken ct)
    {
        var key = TestServer.Named(server).Key;
        return ValueTask.FromResult(keyId == key.KeyId ? key.PublicKey : null);
    }
}
