using Matrix.Events;
using Org.BouncyCastle.Math.EC.Rfc8032;
using Bouncy = Org.BouncyCastle.Math.EC.Rfc8032.Ed25519;

namespace Matrix.Crypto;

/// <summary>Managed Ed25519, for machines without libcrypto.</summary>
public sealed class BouncyCastleEd25519 : IEd25519
{
    public byte[] PublicKey(ReadOnlySpan<byte> seed)
    {
        var publicKey = new byte[Bouncy.PublicKeySize];
        Bouncy.GeneratePublicKey(CheckSeed(seed), 0, publicKey, 0);
        return publicKey;
    }

    public byte[] Sign(ReadOnlySpan<byte> seed, ReadOnlySpan<byte> message)
    {
        var signature = new byte[Bouncy.SignatureSize];
        Bouncy.Sign(CheckSeed(seed), 0, message.ToArray(), 0, message.Length, signature, 0);
        return signature;
    }

    public bool Verify(ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature) =>
        publicKey.Length == Bouncy.PublicKeySize && signature.Length == Bouncy.SignatureSize
        && Bouncy.Verify(signature.ToArray(), 0, publicKey.ToArray(), 0, message.ToArray(), 0, message.Length);

    private static byte[] CheckSeed(ReadOnlySpan<byte> seed) =>
        seed.Length == Bouncy.SecretKeySize ? seed.ToArray() : throw new ArgumentException("A seed is 32 bytes.", nameof(seed));
}
