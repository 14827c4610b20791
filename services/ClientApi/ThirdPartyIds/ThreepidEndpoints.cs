using System.Text.Json;
using Matrix.ClientApi.Uia;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.ThirdPartyIds;

/// <summary>Addresses of the account. Spec: client-server-api/#adding-account-administrative-contact-information</summary>
internal static class ThreepidEndpoints
{
    public static void MapThreepids(this ClientRoutes routes)
    {
        const ClientVersions v = ClientVersions.R0V3Unstable;
        routes.Get(v, "/account/3pid", List).Named("get_3pids");
        routes.Post(v, "/account/3pid", Post).Named("post_3pids");
        routes.Post(v, "/account/3pid/add", Add).Named("add_3pid");
        routes.Post(v, "/account/3pid/bind", Bind).Named("bind_3pid");
        routes.Post(v, "/account/3pid/unbind", Unbind).Named("unbind_3pid");
        routes.Post(v, "/account/3pid/delete", Delete).Named("delete_3pid");
    }

    private static async Task<IResult> List(Requester requester, ThreepidStore store, CancellationToken ct)
    {
        var list = await store.ListAsync(requester.UserId.Value, ct);
        return MatrixResults.Object(w =>
        {
            w.WriteStartArray("threepids"u8);
            foreach (var address in list)
            {
                w.WriteStartObject();
                w.WriteString("medium"u8, address.Medium);
                w.WriteString("address"u8, address.Address);
                w.WriteNumber("validated_at"u8, address.ValidatedTsMs);
                w.WriteNumber("added_at"u8, address.AddedTsMs);
                w.WriteEndObject();
            }
            w.WriteEndArray();
        });
    }

    /// <summary>Deprecated, and still what some clients use: no further proof, and a binding if it is asked for.</summary>
    private static async Task<IResult> Post(JsonBody body, Requester requester, AccountAddresses addresses, IdentityServers servers, CancellationToken ct)
    {
        var request = body.AsObject();
        var credentials = request.ObjectOrNull("three_pid_creds") ?? request.ObjectOrNull("threePidCreds")
            ?? throw MatrixError.MissingParam("Missing param three_pid_creds").AsException();
        await addresses.AddAsync(requester, credentials, ct, unprovedStatus: 403);
        if (request.BoolOrNull("bind") is true) await BindAsync(requester, credentials, servers, ct);
        return MatrixResults.Empty;
    }

    private static async Task<IResult> Add(JsonBody body, Requester requester, Reauthentication reauthentication, AccountAddresses addresses, CancellationToken ct)
    {
        var request = body.AsObject();
        addresses.RequireChanges();
        ThreepidProofs.SecretOf(request);
        var sid = request.RequiredString("sid");
        var outcome = await reauthentication.CheckAsync(requester, $"add_3pid {sid}", request, ct);
        if (outcome.Challenge is { } challenge) return challenge;
        await addresses.AddAsync(requester, request, ct);
        return MatrixResults.Empty;
    }

    private static async Task<IResult> Bind(JsonBody body, Requester requester, IdentityServers servers, HomeserverConfig config, CancellationToken ct)
    {
        RequireLookup(config);
        var request = body.AsObject();
        request.RequiredString("id_access_token");
        await BindAsync(requester, request, servers, ct);
        return MatrixResults.Empty;
    }

    private static Task BindAsync(Requester requester, JsonElement request, IdentityServers servers, CancellationToken ct) => servers.AssociateAsync(
        requester.UserId, request.StringOrNull("id_server") ?? request.StringOrNull("idServer") ?? request.RequiredString("id_server"),
        request.StringOrNull("id_access_token"), request.RequiredString("sid"), ThreepidProofs.SecretOf(request), ct);

    private static async Task<IResult> Unbind(JsonBody body, Requester requester, IdentityServers servers, CancellationToken ct)
    {
        var request = body.AsObject();
        var done = await servers.UnbindAsync(
            requester.UserId, MediumOf(request), request.RequiredString("address"), request.StringOrNull("id_server"), ct);
        return Unbound(done);
    }

    private static async Task<IResult> Delete(JsonBody body, Requester requester, AccountAddresses addresses, IdentityServers servers, CancellationToken ct)
    {
        var request = body.AsObject();
        addresses.RequireChanges();
        var (medium, address) = (MediumOf(request), request.RequiredString("address"));
        var done = await servers.UnbindAsync(requester.UserId, medium, address, request.StringOrNull("id_server"), ct);
        await addresses.RemoveAsync(requester, medium, address, ct);
        return Unbound(done);
    }

    /// <summary>Spec: appendices#3pid-types</summary>
    private static string MediumOf(JsonElement request) =>
        request.RequiredString("medium") is "email" or "msisdn" ? request.RequiredString("medium") : throw MatrixError.BadJson("'medium' is neither email nor msisdn").AsException();

    private static void RequireLookup(HomeserverConfig config)
    {
        if (!config.Accounts.Enable3pidLookup) throw MatrixError.Forbidden("Looking up third-party identifiers is denied from this server").AsException();
    }

    private static IResult Unbound(bool done) => MatrixResults.Object(w => w.WriteString("id_server_unbind_result"u8, done ? "success"u8 : "no-support"u8));
}
