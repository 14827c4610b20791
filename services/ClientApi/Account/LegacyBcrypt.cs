using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Matrix.ClientApi.Account;

/// <summary>
/// Hashes of accounts that came from a Synapse: <c>$2b$ROUNDS$...</c>, verified by libxcrypt's <c>crypt_r</c>, which every Debian has. Where there is
/// none they prove nothing, and their owners have to reset their passwords.
/// </summary>
internal static partial class LegacyBcrypt
{
    /// <summary>Bytes of bcrypt's input; it ignores what is beyond.</summary>
    private const int MaxInput = 72;
    /// <summary>Size of libxcrypt's struct crypt_data, which is part of its ABI.</summary>
    private const int DataSize = 32768;

    public static bool IsAvailable { get; } = NativeLibrary.TryLoad("libcrypt.so.1", out _);

    public static bool IsHash(string encoded) => encoded.Length == 60 && (encoded.StartsWith("$2b$", StringComparison.Ordinal) || encoded.StartsWith("$2a$", StringComparison.Ordinal));

    public static bool Verify(string password, string encoded)
    {
        if (!IsAvailable) return false;
        var input = Encoding.UTF8.GetBytes(password);
        // A zero byte would end the text for crypt_r, and everything after it would not be looked at.
        if (input.AsSpan().Contains((byte)0)) return false;
        var phrase = new byte[Math.Min(input.Length, MaxInput) + 1];
        input.AsSpan(0, phrase.Length - 1).CopyTo(phrase);
        var data = new byte[DataSize];
        var setting = Encoding.ASCII.GetBytes(encoded);
        _ = CryptR(phrase, [.. setting, 0], data);
        // The output is the first member of the struct; the pointer that comes back leads there, or to a text that is no hash.
        return CryptographicOperations.FixedTimeEquals(data.AsSpan(0, setting.Length), setting) && data[setting.Length] == 0;
    }

    [LibraryImport("libcrypt.so.1", EntryPoint = "crypt_r")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint CryptR(byte[] phrase, byte[] setting, [In, Out] byte[] data);
}
