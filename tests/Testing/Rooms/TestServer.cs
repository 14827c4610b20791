using System.Security.Cryptography;
using System.Text;
using Matrix.Crypto;
using Matrix.Events;

namespace Matrix.Testing;

/// <summary>A homeserver by name with a real key that follows from the name, so that a test gives the same bytes every time.</summary>
public sealed class TestServer
{
    private TestServer(string name)
    {
        Name = name;
        var seed = SHA256.HashData(Encoding.UTF8.GetBytes(name));
        Key = new SigningKey("ed25519:auto", seed, Ed25519.Default.PublicKey(seed));
    }

    public string Name { get; }
    public SigningKey Key { get; }

    public static TestServer Named(string name) => new(name);

    public TestUser User(string localpart) => new($"@{localpart}:{Name}", this);
}

/// <summary>A user of such a server.</summary>
public sealed record TestUser(string Id, TestServer Server)
{
    /// <summary>Alice of <c>example.org</c> unless a full id is given.</summary>
    public static TestUser Of(string idOrLocalpart)
    {
        if (idOrLocalpart[0] != '@') return TestServer.Named("example.org").User(idOrLocalpart);
        var colon = idOrLocalpart.IndexOf(':', StringComparison.Ordinal);
        return TestServer.Named(idOrLocalpart[(colon + 1)..]).User(idOrLocalpart[1..colon]);
    }

    public static implicit operator string(TestUser user) => user.Id;

    public override string ToString() => Id;
}
