using System.Buffers;
using System.Net;
using System.Text.Json;
using Matrix.Crypto;
using Matrix.FederationClient.Identity;
using Matrix.FederationClient.Signing;
using Matrix.Primitives;
using Matrix.Storage.Accounts;
using Matrix.Web.Json;

namespace Matrix.ClientApi.ThirdPartyIds;

/// <summary>Identity servers, whose names users choose: guarded. Spec: identity-service-api/#establishing-associations</summary>
internal sealed partial class IdentityServers(ThreepidStore store, ServerIdentity identity, IdentityHttp http, ILogger<IdentityServers> log)
{
    /// <summary>Binds what a session at the identity server has proved to the user.</summary>
    public async Task AssociateAsync(UserId user, string server, string? accessToken, string sid, string secret, CancellationToken ct)
    {
        IdentityHttp.CheckName(server);
        var body = Json(w =>
        {
            w.WriteString("sid", sid);
            w.WriteString("client_secret", secret);
            w.WriteString("mxid", user.Value);
        });
        // Synapse: without a token the first version of the API is spoken.
        var path = accessToken is null ? "/_matrix/identity/api/v1/3pid/bind" : "/_matrix/identity/v2/3pid/bind";
        var (status, bytes) = await http.PostAsync(server, path, body, accessToken is null ? null : $"Bearer {accessToken}", ct);
        if (status != HttpStatusCode.OK || bytes is null)
            throw MatrixError.Unknown(400, "The identity server did not bind the address.").AsException();
        var answer = new JsonBody(bytes).AsObject();
        if (answer.StringOrNull("medium") is { } medium && answer.StringOrNull("address") is { } address)
            await store.NoteBindingAsync(user.Value, medium, address, server, ct);
    }

    /// <summary>Takes bindings back: at one server, or at all where this server made them. False: one of them does not know how to.</summary>
    public async Task<bool> UnbindAsync(UserId user, string medium, string address, string? server, CancellationToken ct)
    {
        if (server is not null) IdentityHttp.CheckName(server);
        var servers = server is null ? await store.BindingsAsync(user.Value, medium, address, ct) : [server];
        // Nobody knows of a binding: nothing could be taken back.
        if (servers.Count == 0) return false;
        var done = true;
        foreach (var one in servers) done &= await UnbindAtAsync(user, medium, address, one, ct);
        return done;
    }

    /// <summary>For an account that ends: every binding that is known; one that cannot be taken back is said in the log.</summary>
    /// <param name="only">The server to ask; null: each where it was bound.</param>
    public async Task<bool> UnbindAllAsync(UserId user, string? only, CancellationToken ct)
    {
        if (only is not null) IdentityHttp.CheckName(only);
        var done = true;
        foreach (var (medium, address, boundAt) in await store.BindingsAsync(user.Value, ct))
        {
            var server = only ?? boundAt;
            try
            {
                done &= await UnbindAtAsync(user, medium, address, server, ct);
            }
            catch (MatrixException e)
            {
                LogNotUnbound(log, e, user.Value, server);
                done = false;
            }
        }
        return done;
    }

    private async Task<bool> UnbindAtAsync(UserId user, string medium, string address, string server, CancellationToken ct)
    {
        const string Path = "/_matrix/identity/v2/3pid/unbind";
        var body = Json(w =>
        {
            w.WriteString("mxid", user.Value);
            w.WriteStartObject("threepid");
            w.WriteString("medium", medium);
            w.WriteString("address", address);
            w.WriteEndObject();
        });
        // The homeserver speaks for its user, as in a request between servers.
        var (status, _) = await http.PostAsync(server, Path, body, XMatrix.Sign(identity, server, "POST", Path, body).ToString(), ct);
        if (status is HttpStatusCode.BadRequest or HttpStatusCode.NotFound or HttpStatusCode.NotImplemented) return false;
        if (status != HttpStatusCode.OK) throw MatrixError.Unknown(502, "Failed to contact identity server").AsException();
        await store.ForgetBindingAsync(user.Value, medium, address, server, ct);
        return true;
    }

    private static ReadOnlyMemory<byte> Json(Action<Utf8JsonWriter> members)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var w = new Utf8JsonWriter(buffer, MatrixResults.WriterOptions))
        {
            w.WriteStartObject();
            members(w);
            w.WriteEndObject();
        }
        return buffer.WrittenMemory;
    }

    [LoggerMessage(4021, LogLevel.Warning, "An address of {User} could not be unbound at {Server}")]
    private static partial void LogNotUnbound(ILogger log, Exception e, string user, string server);
}
