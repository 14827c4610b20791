using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Matrix.Primitives;
using Matrix.ServiceDefaults;

namespace Matrix.ClientApi.Account;

/// <summary>
/// Password hashes, <c>$pbkdf2-sha512$i=ITERATIONS$SALT$HASH</c> (unpadded base64). Expensive ones run a few at a time and the queue before
/// them is bounded, so that logins cannot starve everything else of this process.
/// </summary>
internal sealed class PasswordHasher(HomeserverConfig config)
{
    private const string Scheme = "pbkdf2-sha512";
    private const int SaltBytes = 16;
    private const int HashBytes = 64;
    /// <summary>Up to this count hashing costs less than the hop to another thread.</summary>
    private const int InlineIterations = 500;
    private const int MaxWaiting = 200;

    private readonly SemaphoreSlim slots = new(Math.Max(1, Environment.ProcessorCount / 2));
    private readonly int iterations = Math.Max(1, config.PasswordHashIterations);
    private readonly string pepper = config.Accounts.Passwords.Pepper;
    private int waiting;
    private long work;

    /// <summary>Iterations done so far, for passwords of users as for those of nobody.</summary>
    public long WorkDone => Interlocked.Read(ref work);

    public async ValueTask<string> HashAsync(string password, CancellationToken ct)
    {
        var salt = RandomNumberGenerator.GetBytes(SaltBytes);
        var hash = await DeriveAsync(password + pepper, salt, iterations, ct);
        return string.Create(CultureInfo.InvariantCulture, $"${Scheme}$i={iterations}${UnpaddedBase64.Encode(salt)}${UnpaddedBase64.Encode(hash)}");
    }

    /// <summary>Without a hash (no such user, no password) the same work is done for nothing, so that the time tells nothing.</summary>
    public async ValueTask<bool> VerifyAsync(string password, string? encoded, CancellationToken ct)
    {
        if (encoded is not null && LegacyBcrypt.IsHash(encoded))
            return await QueuedAsync(() => LegacyBcrypt.Verify(password + pepper, encoded), ct);
        var known = TryParse(encoded, out var rounds, out var salt, out var expected);
        if (!known) (rounds, salt, expected) = (iterations, new byte[SaltBytes], new byte[HashBytes]);
        var actual = await DeriveAsync(password + pepper, salt, rounds, ct);
        return CryptographicOperations.FixedTimeEquals(actual, expected) && known;
    }

    /// <summary>Whether a hash is of another kind or another cost than new ones are.</summary>
    public bool IsOutdated(string encoded) => !TryParse(encoded, out var rounds, out _, out _) || rounds != iterations;

    private async ValueTask<byte[]> DeriveAsync(string password, byte[] salt, int rounds, CancellationToken ct)
    {
        Interlocked.Add(ref work, rounds);
        if (rounds <= InlineIterations) return Derive(password, salt, rounds);
        return await QueuedAsync(() => Derive(password, salt, rounds), ct);
    }

    private async ValueTask<T> QueuedAsync<T>(Func<T> work, CancellationToken ct)
    {
        if (Interlocked.Increment(ref waiting) > MaxWaiting)
        {
            Interlocked.Decrement(ref waiting);
            throw MatrixError.LimitExceeded(2000).AsException();
        }
        try
        {
            await slots.WaitAsync(ct);
            try { return await Task.Run(work, ct); }
            finally { slots.Release(); }
        }
        finally { Interlocked.Decrement(ref waiting); }
    }

    private static byte[] Derive(string password, byte[] salt, int rounds) =>
        Rfc2898DeriveBytes.Pbkdf2(Encoding.UTF8.GetBytes(password), salt, rounds, HashAlgorithmName.SHA512, HashBytes);

    private static bool TryParse(string? encoded, out int rounds, out byte[] salt, out byte[] hash)
    {
        (rounds, salt, hash) = (0, [], []);
        if (encoded is null) return false;
        var parts = encoded.Split('$');
        return parts is ["", Scheme, ['i', '=', ..] i, _, _]
            && int.TryParse(i.AsSpan(2), NumberStyles.None, CultureInfo.InvariantCulture, out rounds) && rounds > 0
            && UnpaddedBase64.TryDecode(parts[3], out salt)
            && UnpaddedBase64.TryDecode(parts[4], out hash) && hash.Length == HashBytes;
    }
}
