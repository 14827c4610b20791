using System.Security.Cryptography;
using Matrix.Events;
using Matrix.Primitives;

namespace Matrix.Crypto;

/// <summary>Synapse's signing key file: one line <c>ed25519 VERSION BASE64SEED</c> per key; the first signs.</summary>
public static class SigningKeyFile
{
    /// <summary>The signing key of the file. Throws <see cref="FormatException"/> that names file, line and fault; an I/O exception as it is.</summary>
    public static SigningKey Read(string path) => ReadAll(path)[0];

    /// <summary>All keys of the file, the signing one first: the server answers with their public halves.</summary>
    public static IReadOnlyList<SigningKey> ReadAll(string path) => Parse(File.ReadAllText(path), path);

    public static IReadOnlyList<SigningKey> Parse(string text, string source = "signing key")
    {
        var keys = new List<SigningKey>();
        var number = 0;
        foreach (var line in text.Split('\n'))
        {
            number++;
            var parts = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            if (parts.Length == 0) continue;
            if (parts.Length != 3) throw Fault("must be 'ed25519 VERSION BASE64SEED'");
            if (parts[0] != "ed25519") throw Fault($"has the algorithm '{parts[0]}'; only ed25519 is known");
            foreach (var c in parts[1])
            {
                if (!char.IsAsciiLetterOrDigit(c) && c != '_') throw Fault($"has the key version '{parts[1]}'; letters, digits and _ are allowed");
            }
            if (!UnpaddedBase64.TryDecode(parts[2], out var seed) || seed.Length != 32) throw Fault("has a seed that is not 32 bytes of base64");
            keys.Add(new SigningKey("ed25519:" + parts[1], seed, Ed25519.Default.PublicKey(seed)));
        }
        return keys.Count > 0 ? keys : throw new FormatException($"{source}: holds no key.");

        FormatException Fault(string what) => new($"{source}: line {number} {what}.");
    }

    /// <summary>The text of a new file with one random key, version <c>a_</c> and four letters.</summary>
    public static string Generate() =>
        $"ed25519 a_{RandomNumberGenerator.GetString("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", 4)} "
        + $"{UnpaddedBase64.Encode(RandomNumberGenerator.GetBytes(32))}\n";
}
