using System.Buffers.Text;

namespace Matrix.Primitives;

/// <summary>Base64 without padding, standard and URL-safe alphabets. Spec: appendices#unpadded-base64</summary>
public static class UnpaddedBase64
{
    public static string Encode(ReadOnlySpan<byte> data) => Convert.ToBase64String(data).TrimEnd('=');

    /// <summary>With <c>-</c> and <c>_</c>: event ids of room versions 4 and later.</summary>
    public static string EncodeUrl(ReadOnlySpan<byte> data) => Base64Url.EncodeToString(data);

    /// <summary>Decodes the standard alphabet, padded or not. False for anything else.</summary>
    public static bool TryDecode(string text, out byte[] data)
    {
        data = [];
        var bare = text.TrimEnd('=');
        if (bare.Length % 4 == 1) return false;
        var padded = bare.PadRight((bare.Length + 3) / 4 * 4, '=');
        var buffer = new byte[padded.Length / 4 * 3];
        if (!Convert.TryFromBase64String(padded, buffer, out var n)) return false;
        data = buffer.AsSpan(0, n).ToArray();
        return true;
    }

    /// <summary>Decodes the URL-safe alphabet, padded or not.</summary>
    public static bool TryDecodeUrl(string text, out byte[] data) =>
        TryDecode(text.Replace('-', '+').Replace('_', '/'), out data);
}
