using Matrix.Events;

namespace Matrix.Crypto;

/// <summary>Picks libcrypto where it is found, BouncyCastle otherwise.</summary>
public static class Ed25519
{
    public static IEd25519 Default { get; } = LibcryptoEd25519.IsAvailable ? new LibcryptoEd25519() : new BouncyCastleEd25519();
}
