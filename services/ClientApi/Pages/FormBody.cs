using System.Text;
using Matrix.Primitives;
using Matrix.Web.Json;

namespace Matrix.ClientApi.Pages;

/// <summary>
/// The fields of a form (<c>application/x-www-form-urlencoded</c>). Too large is 413; anything else but such a form has no fields at all.
/// </summary>
internal sealed class FormBody(IReadOnlyList<(string Name, string Value)> all)
{
    private const int MaxBytes = 64 * 1024;
    private const int MaxFields = 100;

    private readonly Dictionary<string, string> fields = all.DistinctBy(f => f.Name).ToDictionary(f => f.Name, f => f.Value, StringComparer.Ordinal);

    /// <summary>A field came more than once; the first counts. RFC 6749 forbids it for its own endpoints.</summary>
    public bool HasRepeated => fields.Count < all.Count;

    /// <summary>Null: not there. An empty field is empty.</summary>
    public string? this[string name] => fields.GetValueOrDefault(name);

    /// <summary>Of a field that may come more than once, such as boxes to check.</summary>
    public IEnumerable<string> Values(string name) => all.Where(f => f.Name == name).Select(f => f.Value);

    public static async ValueTask<FormBody> BindAsync(HttpContext context)
    {
        var request = context.Request;
        var limit = context.GetEndpoint()?.Metadata.GetMetadata<BodyLimit>()?.Bytes ?? MaxBytes;
        if (request.ContentLength > limit) throw MatrixError.TooLarge().AsException();
        var type = request.ContentType ?? "";
        if (!type.StartsWith("application/x-www-form-urlencoded", StringComparison.OrdinalIgnoreCase)) return new([]);
        using var buffer = new MemoryStream();
        var chunk = new byte[8 * 1024];
        int n;
        while ((n = await request.Body.ReadAsync(chunk, context.RequestAborted)) > 0)
        {
            if (buffer.Length + n > limit) throw MatrixError.TooLarge().AsException();
            buffer.Write(chunk, 0, n);
        }
        var text = Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
        // What PostgreSQL cannot keep.
        if (text.Contains('\0') || text.Contains("%00", StringComparison.Ordinal)) throw MatrixError.InvalidParam("A field holds a NUL.").AsException();
        return Parse(text);
    }

    public static FormBody Parse(string text) => new([.. text.Split('&', MaxFields + 1, StringSplitOptions.RemoveEmptyEntries).Take(MaxFields).Select(pair =>
    {
        var equals = pair.IndexOf('=', StringComparison.Ordinal);
        return equals < 0 ? (Decode(pair), "") : (Decode(pair[..equals]), Decode(pair[(equals + 1)..]));
    })]);

    private static string Decode(string text) => Uri.UnescapeDataString(text.Replace('+', ' '));
}
