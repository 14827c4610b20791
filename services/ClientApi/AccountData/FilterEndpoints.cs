using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Storage.AccountData;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.AccountData;

/// <summary>Stored filters. Spec: client-server-api/#filtering</summary>
internal static class FilterEndpoints
{
    /// <summary>Bytes.</summary>
    private const int MaxFilter = 64 * 1024;

    public static void MapFilters(this ClientRoutes routes)
    {
        routes.Post(ClientVersions.R0V3Unstable, "/user/{userId}/filter", Post).Named("define_filter").BodyLimit(MaxFilter);
        routes.Get(ClientVersions.R0V3Unstable, "/user/{userId}/filter/{filterId}", Get).Named("get_filter");
    }

    private static async Task<IResult> Post(UserId userId, Requester requester, JsonBody body, FilterStore store, CancellationToken ct)
    {
        requester.RequireSelf(userId, "Cannot create filters for other users.");
        body.AsObject();
        if (Filter.Parse(body.Bytes.Span).Fault is { } fault) throw MatrixError.BadJson(fault).AsException();
        var canonical = new ArrayBufferWriter<byte>(body.Bytes.Length);
        if (CanonicalJson.TryWrite(body.Bytes.Span, canonical, strict: false) is not CanonicalJsonFault.None)
            throw MatrixError.BadJson("The filter is not valid.").AsException();
        var id = await store.AddAsync(userId.Value, SHA256.HashData(canonical.WrittenSpan), canonical.WrittenMemory, ct);
        return MatrixResults.Object(w => w.WriteString("filter_id"u8, id.ToString(CultureInfo.InvariantCulture)));
    }

    private static async Task<IResult> Get(UserId userId, string filterId, Requester requester, FilterStore store, CancellationToken ct)
    {
        requester.RequireSelf(userId, "Cannot get filters for other users.");
        // One that we can never have given is as unknown as any other.
        return long.TryParse(filterId, NumberStyles.None, CultureInfo.InvariantCulture, out var id) && await store.GetAsync(userId.Value, id, ct) is { } filter
            ? MatrixResults.Raw(filter) : throw MatrixError.NotFound("No such filter").AsException();
    }
}
