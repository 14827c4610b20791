using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Matrix.ServiceDefaults.Edge;

/// <summary>How large a request body may be, by what it is for.</summary>
public static class BodyLimits
{
    public const long Client = 1024 * 1024;
    /// <summary>Key backups and to-device messages come in bulk. Synapse: the limit of everything but media, 200 events.</summary>
    public const long Bulk = 200 * 65536;
    /// <summary>A transaction has at most 50 events and 100 EDUs; invites and joins come with the state of a room.</summary>
    public const long Federation = 50 * 1024 * 1024;

    /// <param name="path">Raw or decoded.</param>
    public static long Of(ReadOnlySpan<char> path, long maxUploadSize)
    {
        if (path.StartsWith("/_matrix/media/", StringComparison.Ordinal)) return maxUploadSize;
        if (path.StartsWith("/_matrix/federation/", StringComparison.Ordinal)) return Federation;
        return path.Contains("/room_keys/", StringComparison.Ordinal) || path.Contains("/sendToDevice/", StringComparison.Ordinal) || path.Contains("/keys/", StringComparison.Ordinal) ? Bulk : Client;
    }

    /// <summary>False when the body says itself that it is too large. A body that does not say is cut off by the server
    /// while it is read (status 413), which counts the framing of its chunks, too.</summary>
    internal static bool Apply(HttpContext context, ReadOnlySpan<char> path, long maxUploadSize)
    {
        if (context.Features.Get<IHttpRequestBodyDetectionFeature>() is not { CanHaveBody: true }) return true;
        var limit = Of(path, maxUploadSize);
        if (context.Request.ContentLength > limit) return false;
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size) size.MaxRequestBodySize = limit;
        return true;
    }
}
