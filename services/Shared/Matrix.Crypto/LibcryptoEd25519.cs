using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Matrix.Events;

namespace Matrix.Crypto;

/// <summary>
/// Ed25519 by OpenSSL. Keys that were used lately stay loaded: building an EVP_PKEY derives the public half, which costs as much as signing.
/// </summary>
public sealed class LibcryptoEd25519 : IEd25519
{
    private readonly KeyCache _private = new(64, isPrivate: true);
    private readonly KeyCache _public = new(8192, isPrivate: false);

    /// <summary>Whether this machine has the OpenSSL 3 library.</summary>
    public static bool IsAvailable => Libcrypto.IsAvailable;

    public byte[] PublicKey(ReadOnlySpan<byte> seed)
    {
        var publicKey = new byte[32];
        nuint length = 32;
        if (Libcrypto.EVP_PKEY_get_raw_public_key(PrivateKey(seed), publicKey, ref length) != 1) throw Failed();
        return publicKey;
    }

    public byte[] Sign(ReadOnlySpan<byte> seed, ReadOnlySpan<byte> message)
    {
        var key = PrivateKey(seed);
        var signature = new byte[64];
        nuint length = 64;
        var context = Libcrypto.EVP_MD_CTX_new();
        try
        {
            if (Libcrypto.EVP_DigestSignInit(context, 0, 0, 0, key) != 1
                || Libcrypto.EVP_DigestSign(context, signature, ref length, message, (nuint)message.Length) != 1) throw Failed();
            return signature;
        }
        finally
        {
            Libcrypto.EVP_MD_CTX_free(context);
        }
    }

    public bool Verify(ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature)
    {
        if (publicKey.Length != 32 || signature.Length != 64 || _public.Get(publicKey) is not { } key) return false;
        var context = Libcrypto.EVP_MD_CTX_new();
        try
        {
            var ok = Libcrypto.EVP_DigestVerifyInit(context, 0, 0, 0, key) == 1
                && Libcrypto.EVP_DigestVerify(context, signature, 64, message, (nuint)message.Length) == 1;
            // A failed verification leaves entries in the thread's error queue, where the runtime's TLS code would find them.
            if (!ok) Libcrypto.ERR_clear_error();
            return ok;
        }
        finally
        {
            Libcrypto.EVP_MD_CTX_free(context);
        }
    }

    private EvpKey PrivateKey(ReadOnlySpan<byte> seed) =>
        seed.Length == 32 ? _private.Get(seed) ?? throw Failed() : throw new ArgumentException("A seed is 32 bytes.", nameof(seed));

    private static CryptographicException Failed()
    {
        Libcrypto.ERR_clear_error();
        return new CryptographicException("libcrypto refused an Ed25519 operation.");
    }

    /// <summary>32 bytes by value, so that a look-up allocates nothing.</summary>
    private readonly record struct Key32(ulong A, ulong B, ulong C, ulong D)
    {
        public static Key32 Of(ReadOnlySpan<byte> bytes) => MemoryMarshal.Read<Key32>(bytes);
    }

    /// <summary>Loaded keys, at most <paramref name="capacity"/>; full means start again. Dropped handles are freed by their finaliser.</summary>
    private sealed class KeyCache(int capacity, bool isPrivate)
    {
        private ConcurrentDictionary<Key32, EvpKey> _keys = new();
        private int _count;

        public EvpKey? Get(ReadOnlySpan<byte> bytes)
        {
            var id = Key32.Of(bytes);
            if (_keys.TryGetValue(id, out var known)) return known;
            var key = isPrivate
                ? Libcrypto.EVP_PKEY_new_raw_private_key(Libcrypto.Ed25519, 0, bytes, 32)
                : Libcrypto.EVP_PKEY_new_raw_public_key(Libcrypto.Ed25519, 0, bytes, 32);
            if (key.IsInvalid)
            {
                Libcrypto.ERR_clear_error();
                return null;
            }
            if (Interlocked.Increment(ref _count) > capacity)
            {
                Volatile.Write(ref _keys, new());
                Volatile.Write(ref _count, 1);
            }
            return _keys.GetOrAdd(id, key);
        }
    }
}
