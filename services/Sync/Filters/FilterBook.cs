using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Sync.Store;

namespace Matrix.Sync.Filters;

/// <summary>Filters of requests: inline JSON, or the id of a stored one. Parsed ones are kept: stored filters never change.</summary>
internal sealed class FilterBook(ISyncStore store)
{
    private const int Max = 2000;
    private readonly ConcurrentDictionary<(string UserId, string Text), Filter> known = new();

    public async ValueTask<Filter> FindAsync(string userId, string? text, CancellationToken ct)
    {
        if (string.IsNullOrEmpty(text)) return Filter.All;
        var isInline = text[0] == '{';
        var key = (isInline ? "" : userId, text);
        if (known.TryGetValue(key, out var filter)) return filter;
        filter = Parse(isInline ? Encoding.UTF8.GetBytes(text) : await StoredAsync(userId, text, ct));
        if (known.Count >= Max) known.Clear();
        known[key] = filter;
        return filter;
    }

    private async Task<byte[]> StoredAsync(string userId, string text, CancellationToken ct)
    {
        if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var id) && await store.FilterAsync(userId, id, ct) is { } json) return json;
        throw MatrixError.InvalidParam("No such filter").AsException();
    }

    private static Filter Parse(byte[] json)
    {
        var (filter, fault) = Filter.Parse(json);
        return filter ?? throw MatrixError.InvalidParam(fault ?? "Invalid filter").AsException();
    }
}
