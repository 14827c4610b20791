using Matrix.Events;

namespace Matrix.Crypto;

/// <summary>Synapse's signing key file: one line <c>ed25519 VERSION BASE64SEED</c> per key; the first signs.</summary>
public static class SigningKeyFile
{
    public static SigningKey Read(string path) => throw new NotImplementedException();
    public static string Generate() => throw new NotImplementedException();
}
